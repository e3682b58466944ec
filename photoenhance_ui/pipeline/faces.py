"""Faces as geometry: align, choose, mask, paste. NumPy and OpenCV only, on the face's own region.

Numbers and order of steps follow facexlib's ``FaceRestoreHelper``, so that results are equal to
the reference's; what differs is that only the region of a face is touched, in 32-bit floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.geometry import Region, Size
from photoenhance_ui.photo import Pixels, white_of
from photoenhance_ui.pipeline.contracts import FACE_PX, DetectedFace
from photoenhance_ui.request import Faces

Matrix = NDArray[np.float64]
"""A (2, 3) affine map of x, y."""
Mask = NDArray[np.float32]
"""(H, W) in 0..1: how much of the restored face is seen."""

# Where the five landmarks of an aligned face lie, in pixels of the 512 square (FFHQ's alignment).
TEMPLATE = np.array(
    [
        [192.98138, 239.94708],
        [318.90277, 240.1936],
        [256.63416, 314.01935],
        [201.26117, 371.41043],
        [313.08905, 371.15118],
    ]
)
MIN_EYE_DISTANCE_PX = 5.0  # smaller ones are side faces or too small to restore
BORDER_RGB = (132, 133, 135)  # what an aligned face shows where the photo ends
MASK_BLUR_PX, MASK_BLUR_SIGMA = 101, 11.0  # applied twice
MASK_BORDER_PX = 10  # at the rim of the square nothing is pasted
ROI_MARGIN_PX = 2  # interpolation looks one pixel further
BAND_PX = 128  # rows that are blended at a time


@dataclass(frozen=True, eq=False)
class RestoredFace:
    """A restored face and how it goes back.

    ``restored`` is (512, 512, 3) RGB of the photo's depth, ``matrix`` maps the photo to it,
    ``mask`` is (512, 512) 0..1, or None where no parser is installed.
    """

    detected: DetectedFace
    matrix: Matrix
    restored: Pixels
    mask: Mask | None


def chosen(faces: Sequence[DetectedFace], which: Faces, size: Size) -> list[DetectedFace]:
    """The faces to restore: large enough, and all of them or the largest one in the picture."""
    usable = [face for face in faces if _eye_distance(face) >= MIN_EYE_DISTANCE_PX]
    if which is Faces.NONE or not usable:
        return []
    if which is Faces.LARGEST:
        return [max(usable, key=lambda face: _area_inside(face, size))]
    return usable


def _eye_distance(face: DetectedFace) -> float:
    left, right = face.landmarks[:2]
    return float(np.hypot(*(left - right)))


def _area_inside(face: DetectedFace, size: Size) -> float:
    left, right = np.clip(face.box[[0, 2]], 0, size.width)
    top, bottom = np.clip(face.box[[1, 3]], 0, size.height)
    return float((right - left) * (bottom - top))


def alignment(face: DetectedFace) -> Matrix | None:
    """The similarity that takes the landmarks to the template; None where there is none."""
    matrix, _ = cv2.estimateAffinePartial2D(
        face.landmarks.astype(np.float64), TEMPLATE, method=cv2.LMEDS
    )
    # OpenCV gives None for degenerate points, whatever its stubs say.
    return None if matrix is None else np.asarray(matrix, np.float64)


def aligned(pixels: Pixels, matrix: Matrix) -> Pixels:
    """The (512, 512, 3) square of an aligned face, gray where it leaves the picture."""
    border = tuple(value * white_of(pixels) / 255 for value in BORDER_RGB)
    return cv2.warpAffine(  # type: ignore[return-value]
        pixels,
        matrix,
        (FACE_PX, FACE_PX),
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=border,
    )


def soft_mask(is_face: NDArray[np.uint8]) -> Mask:
    """A parser's (512, 512) mask of 0 and 255 -> 0..1 with soft borders."""
    mask = (is_face / 255).astype(np.float32)
    size = (MASK_BLUR_PX, MASK_BLUR_PX)
    for _ in range(2):
        mask = cv2.GaussianBlur(mask, size, MASK_BLUR_SIGMA).astype(np.float32)
    inside = np.zeros_like(mask)
    rim = slice(MASK_BORDER_PX, -MASK_BORDER_PX)
    inside[rim, rim] = mask[rim, rim]
    return inside


def way_back(matrix: Matrix, scale: float) -> Matrix:
    """The map from the aligned square to the picture enlarged by ``scale``."""
    inverse: Matrix = cv2.invertAffineTransform(matrix).astype(np.float64) * scale
    if scale > 1:
        inverse[:, 2] += 0.5 * scale
    return inverse


def pasted(background: Pixels, face: RestoredFace, scale: float, strength: float) -> None:
    """Blend one restored face into the enlarged ``background``, in place.

    ``background + strength * mask * (restored - background)``, computed in 32-bit floats on the
    face's own region and rounded once.
    """
    inverse = way_back(face.matrix, scale)
    height, width = background.shape[:2]
    region = region_of(inverse, Size(width, height))
    if region is None:
        return
    local = inverse.copy()
    local[:, 2] -= (region.x, region.y)
    size = (region.width, region.height)
    restored = cv2.warpAffine(face.restored, local, size)
    mask = strength * _mask_in_region(face.mask, local, size, scale)
    below = background[region.slices]
    for top in range(0, region.height, BAND_PX):  # in floats a large face would take gigabytes
        rows = slice(top, top + BAND_PX)
        blended = below[rows] + mask[rows, :, None] * (
            restored[rows].astype(np.float32) - below[rows]
        )
        below[rows] = np.clip(np.rint(blended), 0, white_of(background)).astype(background.dtype)


def region_of(inverse: Matrix, size: Size) -> Region | None:
    """The part of the picture that the warped square touches; None where it lies outside."""
    end = float(FACE_PX)
    corners = np.array([[0, 0, 1], [end, 0, 1], [0, end, 1], [end, end, 1]]) @ inverse.T
    low = np.floor(corners.min(axis=0)).astype(int) - ROI_MARGIN_PX
    high = np.ceil(corners.max(axis=0)).astype(int) + ROI_MARGIN_PX
    left, top = max(0, low[0]), max(0, low[1])
    right, bottom = min(size.width, high[0]), min(size.height, high[1])
    if right <= left or bottom <= top:
        return None
    return Region(int(left), int(top), int(right - left), int(bottom - top))


def _mask_in_region(mask: Mask | None, local: Matrix, size: tuple[int, int], scale: float) -> Mask:
    if mask is not None:
        return cv2.warpAffine(mask, local, size).astype(np.float32)
    return _square_mask(local, size, scale)


def _square_mask(local: Matrix, size: tuple[int, int], scale: float) -> Mask:
    """Without a parser: the whole square, its rim eroded and blurred by the face's size."""
    whole = cv2.warpAffine(np.ones((FACE_PX, FACE_PX), np.float32), local, size)
    rim = np.ones((max(1, int(2 * scale)),) * 2, np.uint8)
    eroded = cv2.erode(whole, rim)
    edge = int(float(np.sum(eroded)) ** 0.5) // 20
    if edge == 0:
        return eroded.astype(np.float32)
    centre = cv2.erode(eroded, np.ones((edge * 2, edge * 2), np.uint8))
    return cv2.GaussianBlur(centre, (edge * 2 + 1, edge * 2 + 1), 0).astype(np.float32)
