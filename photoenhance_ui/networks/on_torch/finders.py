"""Face finders: RetinaFace of facexlib in both sizes, and OpenCV's YuNet.

RetinaFace is used as a plain network; facexlib's ``detect_faces`` keeps the last picture's scale
on the shared object, so that two photos at once would get each other's boxes.
"""

import threading
import warnings
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.interfaces import FaceFinder, FoundFace
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.state_dicts import fill, load_state_dict
from photoenhance_ui.weights import Installed

SCORE_THRESHOLD = 0.97  # of GFPGAN's reference code
OVERLAP_THRESHOLD = 0.4  # of facexlib: boxes that share more are the same face
BGR_MEANS = (104.0, 117.0, 123.0)  # what RetinaFace was trained to see subtracted
VARIANCES = (0.1, 0.2)
STRIDES_AND_SIDES = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))  # anchors, in pixels
MAX_PIXELS = 4_000_000  # larger pictures are searched at this size: it bounds memory and time

YUNET_SCORE_THRESHOLD = 0.8
YUNET_OVERLAP_THRESHOLD = 0.3
YUNET_MAX_SIDE_PX = 1280  # YuNet was trained on faces of 10 to 300 pixels


class RetinaFaceFinder:
    """RetinaFace (Deng et al., 2019) with either of facexlib's backbones."""

    def __init__(self, name: str, network: nn.Module, placement: Placement) -> None:
        self.name = name
        self._network = network
        self._placement = placement

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[list[FoundFace]]:
        """Each (H, W, 3) uint8 RGB -> its faces, best score first."""
        return [self._find(image) for image in images]

    def _find(self, image: NDArray[np.uint8]) -> list[FoundFace]:
        small, shrink = _shrunk(image, (MAX_PIXELS / (image.shape[0] * image.shape[1])) ** 0.5)
        device = self._placement.device
        bgr = torch.from_numpy(np.ascontiguousarray(small[..., ::-1])).to(device).float()
        means = torch.tensor(BGR_MEANS, device=device)
        offsets, scores, points = self._network((bgr - means).permute(2, 0, 1)[None])
        height, width = small.shape[:2]
        anchors = anchors_for(height, width, device)
        size = torch.tensor([width, height], device=device)
        boxes = _boxes(offsets[0], anchors) * size.repeat(2)
        landmarks = _landmarks(points[0], anchors) * size.repeat(5)
        return _best(boxes / shrink, landmarks / shrink, scores[0, :, 1])


def anchors_for(height: int, width: int, device: torch.device) -> Tensor:
    """(A, 4) anchors: centre x, y, width, height as shares of the picture, in facexlib's order."""
    levels = []
    for stride, sides in STRIDES_AND_SIDES:
        rows, columns = -(-height // stride), -(-width // stride)
        y = (torch.arange(rows, device=device) + 0.5) * stride / height
        x = (torch.arange(columns, device=device) + 0.5) * stride / width
        grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
        per_side = [
            torch.stack(
                [
                    grid_x,
                    grid_y,
                    torch.full_like(grid_x, side / width),
                    torch.full_like(grid_x, side / height),
                ],
                dim=-1,
            )
            for side in sides
        ]
        levels.append(torch.stack(per_side, dim=2).reshape(-1, 4))
    return torch.cat(levels)


def _boxes(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Offsets from anchors -> left, top, right, bottom as shares (SSD's coding)."""
    centres = anchors[:, :2] + offsets[:, :2] * VARIANCES[0] * anchors[:, 2:]
    sides = anchors[:, 2:] * torch.exp(offsets[:, 2:] * VARIANCES[1])
    return torch.cat([centres - sides / 2, centres + sides / 2], dim=1)


def _landmarks(points: Tensor, anchors: Tensor) -> Tensor:
    """Offsets from anchors -> five x, y as shares."""
    return anchors[:, :2].repeat(1, 5) + points * VARIANCES[0] * anchors[:, 2:].repeat(1, 5)


def _best(boxes: Tensor, landmarks: Tensor, scores: Tensor) -> list[FoundFace]:
    """Sure faces, each once, best first."""
    from torchvision.ops import nms

    sure = scores > SCORE_THRESHOLD
    boxes, landmarks, scores = boxes[sure].cpu(), landmarks[sure].cpu(), scores[sure].cpu()
    kept = nms(boxes, scores, OVERLAP_THRESHOLD)
    return [
        FoundFace(boxes[i].numpy(), landmarks[i].reshape(5, 2).numpy(), float(scores[i]))
        for i in kept.tolist()
    ]


def _shrunk(image: NDArray[np.uint8], factor: float) -> tuple[NDArray[np.uint8], float]:
    """The picture made smaller by ``factor`` where that is below 1, and the factor used."""
    if factor >= 1:
        return image, 1.0
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8), factor


class YuNetFinder:
    """YuNet (Wu et al., 2023) through OpenCV. Its detector holds a picture's size: one lock."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self._one_at_a_time = threading.Lock()
        try:
            self._detector = cv2.FaceDetectorYN.create(
                path, "", (320, 320), YUNET_SCORE_THRESHOLD, YUNET_OVERLAP_THRESHOLD
            )
        except cv2.error as error:
            raise WeightsDamaged(f"The file of {name} is damaged. Download it again.") from error

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[list[FoundFace]]:
        """Each (H, W, 3) uint8 RGB -> its faces, best score first."""
        return [self._find(image) for image in images]

    def _find(self, image: NDArray[np.uint8]) -> list[FoundFace]:
        small, shrink = _shrunk(image, YUNET_MAX_SIDE_PX / max(image.shape[:2]))
        with self._one_at_a_time:
            self._detector.setInputSize((small.shape[1], small.shape[0]))
            _, rows = self._detector.detect(np.ascontiguousarray(small[..., ::-1]))
        if rows is None:
            return []
        faces = [_face_of_row(row.astype(np.float32), shrink) for row in rows]
        return sorted(faces, key=lambda face: -face.score)


def _face_of_row(row: NDArray[np.float32], shrink: float) -> FoundFace:
    """x, y, width, height, five points (the person's right first: left in the picture), score."""
    x, y, width, height = row[:4]
    box = np.array([x, y, x + width, y + height], np.float32) / shrink
    return FoundFace(box, row[4:14].reshape(5, 2) / shrink, float(row[14]))


def load_finder(found: Installed, placement: Placement) -> FaceFinder:
    """Build the finder of an installed file. Raises WeightsDamaged."""
    assert found.known is not None
    if found.known.architecture is Architecture.YUNET:
        return YuNetFinder(found.name, str(found.path))
    is_large = found.known.architecture is Architecture.RETINAFACE_RESNET50
    from facexlib.detection.retinaface import RetinaFace

    with warnings.catch_warnings():
        # facexlib asks torchvision for an untrained ResNet by an old parameter name.
        warnings.simplefilter("ignore", UserWarning)
        network = RetinaFace("resnet50" if is_large else "mobile0.25", device="cpu")
    network = fill(network, load_state_dict(found.path), found.path)
    return RetinaFaceFinder(found.name, placement.settle(network), placement)
