"""Face parsers in torch: ParseNet and BiSeNet, both as face-or-not masks."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from photoenhance_ui.networks.architectures import entry_of
from photoenhance_ui.networks.on_torch.architectures import PARSERS, module_of
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.tensors import to_tensor
from photoenhance_ui.networks.parsing import CLASSES, Parsing
from photoenhance_ui.networks.state_dicts import load_arrays
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import FaceParser
from photoenhance_ui.weights.inventory import Installed


class TorchParser:
    """A parser that gives class scores per pixel first."""

    def __init__(
        self, name: str, network: nn.Module, placement: Placement, parsing: Parsing
    ) -> None:
        """``network`` may lie anywhere, in any type: it is moved to where it is to be."""
        self.name = name
        self._plain, self._network = network, placement.settle(network)
        self._placement = placement
        self._parsing = parsing
        self._means, self._deviations = (
            torch.tensor(values, device=placement.device, dtype=placement.dtype).view(1, 3, 1, 1)
            for values in (parsing.means, parsing.deviations)
        )
        self._is_face = torch.zeros(CLASSES, dtype=torch.uint8, device=placement.device)
        self._is_face[list(parsing.face_classes)] = 255

    @torch.inference_mode()
    def __call__(self, faces: Pixels) -> NDArray[np.uint8]:
        """(N, 512, 512, 3) -> (N, 512, 512), 255 where face."""
        inputs = (to_tensor(faces, self._placement) - self._means) / self._deviations
        classes = self._network(inputs)[0].argmax(dim=1)
        mask: NDArray[np.uint8] = self._is_face[classes].cpu().numpy()
        return mask

    def in_type(self, dtype: torch.dtype) -> "TorchParser":
        """The same network in another floating-point type."""
        placement = self._placement.in_type(dtype)
        return TorchParser(self.name, copy.deepcopy(self._plain), placement, self._parsing)


def load_parser(found: Installed, placement: Placement) -> FaceParser:
    """Build the parser of an installed file. Raises ArchitectureUnknown and WeightsDamaged."""
    build, parsing = entry_of(PARSERS, found.architecture)
    network = module_of(build, load_arrays(found.path), found.path)
    return TorchParser(found.name, network, placement, parsing)
