"""What there is to know of each format of files: one description, one table."""

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class FileFormat:
    """A format that is read; most are written too."""

    name: str
    """Pillow's name."""
    label: str
    """What people call it."""
    read_suffixes: tuple[str, ...]
    """Under which a folder is searched; a file that is named is read whatever its suffix."""
    suffix: str | None
    """Under which a result is written; None where none is."""
    is_lossless: bool = False
    """Holds every pixel as it was written, also what is transparent."""
    in_browsers: bool = False
    """Every browser shows it."""
    has_alpha: bool = False
    has_gray: bool = False
    """A gray photo is written with one channel."""
    has_16_bits: bool = False
    has_dpi: bool = False
    uses_quality: bool = False
    max_side_px: int = 2**31 - 1


FORMATS = (
    FileFormat(
        "JPEG", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), ".jpg",
        in_browsers=True, has_gray=True, has_dpi=True, uses_quality=True, max_side_px=65_500,
    ),
    FileFormat(
        "PNG", "PNG", (".png",), ".png",
        is_lossless=True, in_browsers=True, has_alpha=True, has_gray=True, has_16_bits=True,
        has_dpi=True,
    ),
    FileFormat(
        "WEBP", "WebP", (".webp",), ".webp",
        in_browsers=True, has_alpha=True, uses_quality=True, max_side_px=16_383,
    ),
    FileFormat(
        "TIFF", "TIFF", (".tif", ".tiff"), ".tiff",
        is_lossless=True, has_alpha=True, has_gray=True, has_16_bits=True, has_dpi=True,
    ),
    FileFormat(
        "BMP", "BMP", (".bmp",), ".bmp",
        in_browsers=True, has_gray=True, has_dpi=True, max_side_px=65_535,
    ),
    FileFormat("GIF", "GIF", (".gif",), None, in_browsers=True),
    FileFormat(
        "AVIF", "AVIF", (".avif",), ".avif",
        in_browsers=True, has_alpha=True, uses_quality=True, max_side_px=32_768,
    ),
    FileFormat(
        "HEIF", "HEIC", (".heic", ".heif"), ".heic",
        has_alpha=True, uses_quality=True, max_side_px=16_384,
    ),
)  # fmt: skip

BY_NAME = {known.name: known for known in FORMATS}
FULL = BY_NAME["PNG"]
"""Holds whatever a photo has: what a photo becomes whose own format is not written."""
READABLE_SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.read_suffixes)
_BY_SUFFIX = {suffix: known for known in FORMATS for suffix in known.read_suffixes}


def format_of(path: PurePath) -> FileFormat | None:
    """The format that the file's name tells: of a result of ours, what it is."""
    return _BY_SUFFIX.get(path.suffix.lower())


def is_lossless(path: PurePath) -> bool:
    """Whether a result of ours holds exactly the pixels that were written."""
    known = format_of(path)
    return known is not None and known.is_lossless


def is_shown_by_browsers(path: PurePath) -> bool:
    """Whether every browser shows a result of ours."""
    known = format_of(path)
    return known is not None and known.in_browsers
