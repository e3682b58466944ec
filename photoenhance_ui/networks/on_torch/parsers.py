"""Face parsers: ParseNet and BiSeNet, both as face-or-not masks."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.networks.interfaces import FACE_PX, FaceParser
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.tensors import to_tensor
from photoenhance_ui.networks.parsing import (
    BISENET_FACE,
    CLASSES,
    IMAGENET_DEVIATIONS,
    IMAGENET_MEANS,
    PARSENET_FACE,
)
from photoenhance_ui.networks.state_dicts import fill, load_state_dict
from photoenhance_ui.photo import Pixels
from photoenhance_ui.weights import Installed

HALF = (0.5, 0.5, 0.5)


class TorchParser:
    """A parser that gives class scores per pixel first."""

    def __init__(
        self,
        name: str,
        network: nn.Module,
        placement: Placement,
        face_classes: tuple[int, ...],
        normalization: tuple[tuple[float, ...], tuple[float, ...]],
    ) -> None:
        self.name = name
        self._network = network
        self._placement = placement
        device, dtype = placement.device, placement.dtype
        means, deviations = normalization
        self._means = torch.tensor(means, device=device, dtype=dtype).view(1, 3, 1, 1)
        self._deviations = torch.tensor(deviations, device=device, dtype=dtype).view(1, 3, 1, 1)
        self._is_face = torch.zeros(CLASSES, dtype=torch.uint8, device=device)
        self._is_face[list(face_classes)] = 255

    def __call__(self, faces: Pixels) -> NDArray[np.uint8]:
        """(N, 512, 512, 3) -> (N, 512, 512), 255 where face."""
        inputs = (to_tensor(faces, self._placement) - self._means) / self._deviations
        classes = self._network(inputs)[0].argmax(dim=1)
        mask: NDArray[np.uint8] = self._is_face[classes].cpu().numpy()
        return mask


def load_parser(found: Installed, placement: Placement) -> FaceParser:
    """Build the parser of an installed file in torch. Raises WeightsDamaged."""
    assert found.known is not None
    state = load_state_dict(found.path)
    if found.known.architecture is Architecture.PARSENET:
        from facexlib.parsing.parsenet import ParseNet

        network = ParseNet(in_size=FACE_PX, out_size=FACE_PX, parsing_ch=CLASSES)
        face, normalization = PARSENET_FACE, (HALF, HALF)
    else:
        from facexlib.parsing.bisenet import BiSeNet

        network = BiSeNet(num_class=CLASSES)
        face, normalization = BISENET_FACE, (IMAGENET_MEANS, IMAGENET_DEVIATIONS)
    network = placement.settle(fill(network, state, found.path))
    return TorchParser(found.name, network, placement, face, normalization)
