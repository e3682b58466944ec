"""The Photo value: pixels with everything about them that must not be lost."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.geometry import Size

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""An integer picture: uint8 in 0..255 or uint16 in 0..65535."""


def white_of(pixels: Pixels) -> int:
    """The largest value of the picture's depth: 255 or 65535."""
    return int(np.iinfo(pixels.dtype).max)


def in_8_bits(pixels: Pixels) -> NDArray[np.uint8]:
    """The same picture in 0..255, rounded; the very array where it has 8 bits already."""
    if pixels.dtype == np.uint8:
        return pixels  # type: ignore[return-value]
    return np.rint(pixels / np.float32(257)).astype(np.uint8)


@dataclass(frozen=True)
class Metadata:
    """What a file carries beside its pixels, as the bytes in which it came."""

    icc_profile: bytes | None = None
    exif: bytes | None = None
    """EXIF block, orientation tag already reset to 1."""
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Photo:
    """One photo, upright.

    ``pixels`` is (H, W, 3) RGB, uint8 or uint16, EXIF orientation applied. ``alpha`` is (H, W)
    of the same depth, or None. ``file_format`` is Pillow's name of the format that it was read
    from ("JPEG", "PNG", …). ``name`` is the file name that the person gave it.
    """

    pixels: Pixels
    name: str
    file_format: str
    alpha: Pixels | None = None
    monochrome: bool = False
    """True for a black-and-white photo: R, G and B are equal and are to stay so."""
    one_channel: bool = False
    """True where the file held gray values only; it is written so again where a format can."""
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        height, width = self.pixels.shape[:2]
        return Size(width, height)

    @property
    def depth_bits(self) -> int:
        """8 or 16 bits a channel."""
        return self.pixels.dtype.itemsize * 8

    def with_pixels(self, pixels: Pixels, alpha: Pixels | None) -> "Photo":
        """The same photo, with its name and metadata, in other pixels."""
        return replace(self, pixels=pixels, alpha=alpha)
