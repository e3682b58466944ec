"""RetinaFace of facexlib in both sizes, its network computed by torch."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from photoenhance_ui.networks.architectures import entry_of
from photoenhance_ui.networks.on_torch.architectures import DETECTORS, module_of
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.retinaface import BGR_MEANS, Answers, find_faces
from photoenhance_ui.networks.state_dicts import load_arrays
from photoenhance_ui.pipeline.contracts import DetectedFace, FaceDetector
from photoenhance_ui.weights.inventory import Installed


class TorchDetector:
    """RetinaFace (Deng et al., CVPR 2020) with either of facexlib's backbones."""

    def __init__(self, name: str, network: nn.Module, placement: Placement) -> None:
        """``network`` may lie anywhere, in any type: it is moved to where it is to be."""
        self.name = name
        self._network = placement.settle(network)
        self._placement = placement

    @torch.inference_mode()
    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[list[DetectedFace]]:
        """Each (H, W, 3) uint8 RGB -> its faces, best score first."""
        return [find_faces(self._answers, image) for image in images]

    def _answers(self, picture: NDArray[np.uint8]) -> Answers:
        device = self._placement.device
        bgr = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1])).to(device).float()
        means = torch.tensor(BGR_MEANS, device=device)
        boxes, scores, landmarks = self._network((bgr - means).permute(2, 0, 1)[None])
        outputs = (boxes[0], landmarks[0], scores[0, :, 1])
        return Answers(*(output.cpu().numpy() for output in outputs))


def load_detector(found: Installed, placement: Placement) -> FaceDetector:
    """Build the detector of an installed file. Raises ArchitectureUnknown and WeightsDamaged."""
    build = entry_of(DETECTORS, found.architecture)
    network = module_of(build, load_arrays(found.path), found.path)
    return TorchDetector(found.name, network, placement)
