"""RetinaFace's raw answers -> faces (Deng et al., CVPR 2020), in NumPy.

The network looks at a picture through anchors: squares of two sizes around each place of a grid,
for three grids. For each it answers how surely there is a face, and how far the face's box and
landmarks are from the anchor. Who computes the network gives its answers, and gets faces.

facexlib's own ``detect_faces`` is not used: it keeps the last picture's scale on the shared
object, so that two photos at once would get each other's boxes.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.networks.shrinking import shrunk
from photoenhance_ui.pipeline.contracts import DetectedFace

SCORE_THRESHOLD = 0.97  # of GFPGAN's reference code
OVERLAP_THRESHOLD = 0.4  # of facexlib: boxes that share more are the same face
BGR_MEANS = (104.0, 117.0, 123.0)  # what the networks were trained to see subtracted, 0..255
PLACE_VARIANCE, SIZE_VARIANCE = np.float32(0.1), np.float32(0.2)
"""What places and sizes were divided by in training."""
STRIDES_AND_SIDES = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))  # anchors, in pixels
MAX_PIXELS = 4_000_000  # larger pictures are searched at this size: it bounds memory and time

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]


class Answers(NamedTuple):
    """What the network says of one picture, an entry for each of its A anchors."""

    boxes: Floats
    """(A, 4) offsets of centre x, y and of width, height."""
    landmarks: Floats
    """(A, 10) offsets of five x, y."""
    scores: Floats
    """(A,) how surely each is a face, 0..1."""


def find_faces(network: Callable[[Picture], Answers], picture: Picture) -> list[DetectedFace]:
    """The faces in a (H, W, 3) RGB picture, best score first.

    ``network`` is given it as it is, or smaller where it has more than MAX_PIXELS.
    """
    height, width = picture.shape[:2]
    small, factor = shrunk(picture, (MAX_PIXELS / (height * width)) ** 0.5)
    return faces_of(network(small), small.shape[0], small.shape[1], factor)


def faces_of(answers: Answers, height: int, width: int, factor: float = 1.0) -> list[DetectedFace]:
    """Sure faces, each once, best score first.

    ``height`` and ``width`` are those of the picture that was looked at, in pixels, and boxes and
    landmarks are pixels of one whose sides were multiplied by ``factor`` to get there.
    """
    sure = answers.scores > SCORE_THRESHOLD
    anchors, scores = anchors_for(height, width)[sure], answers.scores[sure]
    size = np.array([width, height], np.float32)
    boxes = decoded_boxes(answers.boxes[sure], anchors) * np.tile(size, 2) / np.float32(factor)
    landmarks = decoded_landmarks(answers.landmarks[sure], anchors) * size / np.float32(factor)
    return [
        DetectedFace(boxes[index], landmarks[index], float(scores[index]))
        for index in distinct(boxes, scores, OVERLAP_THRESHOLD)
    ]


def anchors_for(height: int, width: int) -> Floats:
    """(A, 4) anchors: centre x, y, width, height as shares of the picture, in facexlib's order."""
    levels = []
    for stride, sides in STRIDES_AND_SIDES:
        rows, columns = -(-height // stride), -(-width // stride)
        y = (np.arange(rows) + 0.5) * stride / height
        x = (np.arange(columns) + 0.5) * stride / width
        level = np.empty((rows, columns, len(sides), 4), np.float32)
        level[..., 0] = x[None, :, None]
        level[..., 1] = y[:, None, None]
        level[..., 2] = np.array(sides) / width
        level[..., 3] = np.array(sides) / height
        levels.append(level.reshape(-1, 4))
    return np.concatenate(levels)


def decoded_boxes(offsets: Floats, anchors: Floats) -> Floats:
    """(A, 4) offsets -> left, top, right, bottom as shares of the picture.

    The coding is that of SSD (Liu et al., 2016).
    """
    centres = anchors[:, :2] + offsets[:, :2] * PLACE_VARIANCE * anchors[:, 2:]
    with np.errstate(over="ignore"):  # a network of random weights may answer anything
        sides = anchors[:, 2:] * np.exp(offsets[:, 2:] * SIZE_VARIANCE)
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)


def decoded_landmarks(offsets: Floats, anchors: Floats) -> Floats:
    """(A, 10) offsets -> (A, 5, 2) five x, y as shares of the picture."""
    points = offsets.reshape(-1, 5, 2) * PLACE_VARIANCE
    return anchors[:, None, :2] + points * anchors[:, None, 2:]


def distinct(boxes: Floats, scores: Floats, overlap: float) -> list[int]:
    """Non-maximum suppression: indices of boxes that differ, best score first.

    ``boxes`` is (N, 4) left, top, right, bottom. Of two that share more than ``overlap`` of what
    both cover, only the one with the better score stays, of equal scores the earlier one: what
    ``torchvision.ops.nms`` gives.
    """
    areas = _areas(boxes[:, :2], boxes[:, 2:])
    left = np.argsort(-scores, kind="stable")
    kept = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(int(best))
        corners = np.maximum(boxes[best, :2], boxes[left, :2])
        shared = _areas(corners, np.maximum(np.minimum(boxes[best, 2:], boxes[left, 2:]), corners))
        with np.errstate(divide="ignore", invalid="ignore"):  # boxes without an area share nothing
            shares = shared / (areas[best] + areas[left] - shared)
        # Compared in 64 bits, as torchvision does: 0.4 is another number in 32.
        left = left[~(shares > np.float64(overlap))]
    return kept


def _areas(upper_left: Floats, lower_right: Floats) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        sides = lower_right - upper_left
        return sides[:, 0] * sides[:, 1]
