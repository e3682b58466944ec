"""Face parsers in torch: ParseNet and BiSeNet, both as face-or-not masks."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.contracts import FaceParser
from photoenhance_ui.networks.on_torch.architectures import module_of
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.tensors import to_tensor
from photoenhance_ui.networks.parsing import (
    BISENET_FACE,
    CLASSES,
    IMAGENET_DEVIATIONS,
    IMAGENET_MEANS,
    PARSENET_FACE,
)
from photoenhance_ui.networks.state_dicts import load_arrays
from photoenhance_ui.photo import Pixels
from photoenhance_ui.weights import Installed

Normalization = tuple[tuple[float, float, float], tuple[float, float, float]]
"""What is subtracted from each colour in 0..1, and by what it is divided then."""
HALF = (0.5, 0.5, 0.5)
KINDS: Mapping[Architecture, tuple[tuple[int, ...], Normalization]] = {
    Architecture.PARSENET: (PARSENET_FACE, (HALF, HALF)),
    Architecture.BISENET: (BISENET_FACE, (IMAGENET_MEANS, IMAGENET_DEVIATIONS)),
}
"""Of each architecture: the classes that are face, and how it was trained to see pictures."""


class TorchParser:
    """A parser that gives class scores per pixel first."""

    def __init__(
        self,
        name: str,
        network: nn.Module,
        placement: Placement,
        face_classes: tuple[int, ...],
        normalization: Normalization,
    ) -> None:
        """``network`` may lie anywhere, in any type: it is moved to where it is to be."""
        self.name = name
        self._plain, self._network = network, placement.settle(network)
        self._placement = placement
        self._face_classes, self._normalization = face_classes, normalization
        device, dtype = placement.device, placement.dtype
        means, deviations = normalization
        self._means = torch.tensor(means, device=device, dtype=dtype).view(1, 3, 1, 1)
        self._deviations = torch.tensor(deviations, device=device, dtype=dtype).view(1, 3, 1, 1)
        self._is_face = torch.zeros(CLASSES, dtype=torch.uint8, device=device)
        self._is_face[list(face_classes)] = 255

    @torch.inference_mode()
    def __call__(self, faces: Pixels) -> NDArray[np.uint8]:
        """(N, 512, 512, 3) -> (N, 512, 512), 255 where face."""
        inputs = (to_tensor(faces, self._placement) - self._means) / self._deviations
        classes = self._network(inputs)[0].argmax(dim=1)
        mask: NDArray[np.uint8] = self._is_face[classes].cpu().numpy()
        return mask

    def in_type(self, dtype: torch.dtype) -> "TorchParser":
        """The same network in another floating-point type."""
        return TorchParser(
            self.name, copy.deepcopy(self._plain), self._placement.in_type(dtype),
            self._face_classes, self._normalization,
        )  # fmt: skip


def load_parser(found: Installed, placement: Placement) -> FaceParser:
    """Build the parser of an installed file in torch. Raises WeightsDamaged."""
    assert found.known is not None
    network = module_of(found.known.architecture, load_arrays(found.path), found.path)
    return TorchParser(found.name, network, placement, *KINDS[found.known.architecture])
