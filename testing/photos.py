"""Real photos that every machine has."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PhotoMaker = Callable[..., Path]
"""Writes a small real photo as a file and gives its path; the fixture ``photo_file``."""


def skimage_photo(name: str, side: int | None = None) -> NDArray[np.uint8]:
    """A photo of scikit-image, (H, W, 3) RGB; with ``side``, a square cut from its middle."""
    from skimage import data

    pixels: NDArray[np.uint8] = np.ascontiguousarray(getattr(data, name)())
    if side is None:
        return pixels
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])
