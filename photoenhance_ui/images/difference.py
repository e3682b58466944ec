"""How far a result differs from its original: as a number, and as a map that shows where."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.photo import Photo, Pixels, white_of

MAX_PSNR_DB = 99.0
"""Given for equal pictures too, whose ratio is infinite."""
MAX_SIDE_PX = 2048
UNSEEN = 2.0
"""A distance in CIELAB below which an eye sees no difference; it is not coloured."""
FULL = 20.0
"""A distance that is shown in the brightest colour: the same in every picture."""
SMOOTHED_SHARE = 1 / 500
"""The share of the longest side that is averaged: single pixels cannot be read as a picture."""
UNDERLAY = 0.45
"""How bright the original is seen beneath, in gray."""
RISE = 3.0
"""A colour covers the gray from a third of the full distance on."""


def psnr_db(one: NDArray[Any], other: NDArray[Any], white: int = 255) -> float:
    """Peak signal-to-noise ratio of two pictures of the same shape and type in dB, at most 99."""
    squares = cv2.norm(one.reshape(-1), other.reshape(-1), cv2.NORM_L2SQR)
    error = squares / one.size / white**2
    return MAX_PSNR_DB if error == 0 else min(MAX_PSNR_DB, float(-10 * np.log10(error)))


def faithfulness_db(source: Photo, result: Photo) -> float:
    """How near the result is to the source: PSNR in dB, the result brought back by averaging.

    At most 99. Colours only; transparency does not count.
    """
    size = (source.size.width, source.size.height)
    back = cv2.resize(result.pixels, size, interpolation=cv2.INTER_AREA)
    return psnr_db(source.pixels, back, white_of(source.pixels))


def difference_map(source: Pixels, result: Pixels) -> NDArray[np.uint8]:
    """Colours where (H, W, 3) ``result`` is not (h, w, 3) ``source``; gray where it is.

    The result is brought back to the original's size by averaging, so that detail that was added
    does not count, only what became another brightness or colour. From violet over orange to
    yellow by the distance in CIELAB (CIE 1976). At most 2048 pixels a side.
    """
    height, width = source.shape[:2]
    share = min(1.0, MAX_SIDE_PX / max(height, width))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    was, became = (_lab(_averaged(pixels, size)) for pixels in (source, result))
    distance = np.sqrt(np.sum((was - became) ** 2, axis=2))
    sigma = max(0.5, max(size) * SMOOTHED_SHARE)
    return _coloured(cv2.GaussianBlur(distance, (0, 0), sigma), was[..., 0])


def _averaged(pixels: Pixels, size: tuple[int, int]) -> NDArray[np.float32]:
    """0..1, as if each pixel had seen all that it covers."""
    smaller = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return smaller.astype(np.float32) / np.float32(white_of(pixels))


def _lab(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lightness 0..100 and two colour axes, of pixels that are read as sRGB."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)  # type: ignore[return-value]


def _coloured(distance: NDArray[np.floating], lightness: NDArray[np.float32]) -> NDArray[np.uint8]:
    level = np.clip((distance - UNSEEN) / (FULL - UNSEEN), 0, 1)
    heat = cv2.applyColorMap(np.rint(level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    covered = np.clip(level * RISE, 0, 1)[..., None]
    gray = (lightness * (2.55 * UNDERLAY))[..., None]
    shown: NDArray[np.uint8] = np.rint(gray * (1 - covered) + heat[..., ::-1] * covered).astype(
        np.uint8
    )
    return shown
