"""Face restorers in torch: GFPGAN (clean) and RestoreFormer."""

import copy

import torch
from torch import nn

from photoenhance_ui.networks.architectures import entry_of
from photoenhance_ui.networks.on_torch.architectures import RESTORERS, module_of
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.tensors import to_pixels, to_tensor
from photoenhance_ui.networks.state_dicts import load_arrays
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import FaceRestorer
from photoenhance_ui.weights.inventory import Installed


class TorchRestorer:
    """A restorer that is one torch module taking and giving -1..1.

    The noise of GFPGAN's decoder is that stored with its weights, so that the same face gives
    the same result each time.
    """

    def __init__(self, name: str, network: nn.Module, placement: Placement) -> None:
        """``network`` may lie anywhere, in any type: it is moved to where it is to be."""
        self.name = name
        self._plain = network
        self._network = placement.settle(network)
        self._placement = placement

    @torch.inference_mode()
    def __call__(self, faces: Pixels) -> Pixels:
        """(N, 512, 512, 3) -> (N, 512, 512, 3), same depth."""
        inputs = (to_tensor(faces, self._placement) - 0.5) / 0.5
        output = self._network(inputs, return_rgb=False, randomize_noise=False)[0]
        return to_pixels((output.clamp(-1, 1) + 1) / 2, faces, self.name)

    def in_type(self, dtype: torch.dtype) -> "TorchRestorer":
        """The same network in another floating-point type."""
        placement = self._placement.in_type(dtype)
        return TorchRestorer(self.name, copy.deepcopy(self._plain), placement)


def load_restorer(found: Installed, placement: Placement) -> FaceRestorer:
    """Build the restorer of an installed file. Raises ArchitectureUnknown and WeightsDamaged."""
    build = entry_of(RESTORERS, found.architecture)
    network = module_of(build, load_arrays(found.path), found.path)
    return TorchRestorer(found.name, network, placement)
