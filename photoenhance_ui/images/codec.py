"""Files to Photos and back: Pillow, with OpenCV where Pillow would lose 16-bit colour.

What a file is, is decided by its bytes, never by its name. Limits are checked from the header,
before anything is decoded.
"""

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from photoenhance_ui.errors import (
    FileTooLarge,
    NotAPhoto,
    PhotoDamaged,
    PhotoEmpty,
    PhotoMissing,
    TooManyPixels,
)
from photoenhance_ui.geometry import Size
from photoenhance_ui.images.encoders import as_image, encoded, saved
from photoenhance_ui.images.formats import BY_NAME, FORMATS, FULL, FileFormat
from photoenhance_ui.images.metadata import (
    Provenance,
    for_result,
    in_srgb,
    metadata_of,
    orientation_of,
    profile_space,
    srgb_profile,
)
from photoenhance_ui.names import safe_name
from photoenhance_ui.photo import Metadata, Photo, Pixels, white_of
from photoenhance_ui.replacing import replacing
from photoenhance_ui.request import OutputFormat, Saving
from photoenhance_ui.settings import Settings

__all__ = [
    "Limits", "Provenance", "check_bytes", "preview", "probe", "read_photo", "result_suffix",
    "write_photo",
]  # fmt: skip

HEIF_BRANDS = (
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
)  # fmt: skip
"""By which a HEIF file says in its first box what it is (ISO/IEC 23008-12)."""


def _is_heif(prefix: bytes) -> bool:
    return prefix[4:8] == b"ftyp" and prefix[8:12] in HEIF_BRANDS


def _open_heif(file: IO[bytes], name: str | bytes) -> ImageFile.ImageFile:
    # Its decoder takes 20 ms to import, and most photos are none; then it takes this one's place.
    from pillow_heif import HeifImageFile, register_heif_opener  # noqa: PLC0415

    register_heif_opener()
    opened: ImageFile.ImageFile = HeifImageFile(file, name)  # type: ignore[no-untyped-call]
    return opened


Image.register_open("HEIF", _open_heif, _is_heif)
Image.MAX_IMAGE_PIXELS = None  # our own limit is checked from the header, photo by photo

_READ = tuple(known.name for known in FORMATS)
GRAY_TOLERANCE = 1  # levels of 255 by which equal channels differ after a JPEG's rounding
_PHOTOMETRIC_TAG, _PLANES_TAG, _SAMPLE_FORMAT_TAG = 262, 284, 339
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_OTHER_KINDS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a compressed archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"ID3", "a sound file"),
)
_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, RuntimeError,
    OverflowError, struct.error, cv2.error,
)  # fmt: skip
"""What the decoders raise on bytes that are cut short or mixed up."""


@dataclass(frozen=True)
class Limits:
    """What is refused before it is read."""

    max_bytes: int
    max_pixels: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits that the settings give."""
        return cls(settings.max_bytes, settings.max_pixels)


# Reading


def check_bytes(path: Path, limits: Limits) -> None:
    """Refuse a file that is absent, empty or too large, without opening it."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise PhotoMissing("The file is not there or cannot be opened.") from error
    if not path.is_file():
        raise PhotoMissing("This is a folder, not a file.")
    if size == 0:
        raise PhotoEmpty("The file is empty.")
    if size > limits.max_bytes:
        raise FileTooLarge(
            f"The file has {size / 1e6:.1f} MB; at most {limits.max_bytes / 1e6:g} MB are read."
        )


def probe(path: Path, limits: Limits) -> Size:
    """The photo's size from its header, as stored. Raises a PhotoRefused."""
    check_bytes(path, limits)
    with _opened(path, limits) as image:
        return Size(*image.size)


def read_photo(path: Path, limits: Limits, name: str | None = None) -> Photo:
    """Read a photo upright, with everything it carries. Raises a PhotoRefused."""
    check_bytes(path, limits)
    with _opened(path, limits) as image:
        try:
            # the decoders of TIFF turn what they decode
            turn = 1 if image.format == "TIFF" else orientation_of(image)
            metadata = metadata_of(image)
            file_format = "JPEG" if image.format == "MPO" else str(image.format)
            pixels, alpha, one_channel, metadata = _decoded(image, path, metadata)
        except _DAMAGE as error:
            raise _damaged() from error
    pixels, one_alpha = upright(pixels, turn), None if alpha is None else upright(alpha, turn)
    return Photo(
        pixels=pixels,
        name=name or path.name,
        file_format=file_format,
        alpha=one_alpha,
        monochrome=one_channel or is_monochrome(pixels),
        one_channel=one_channel,
        metadata=metadata,
    )


def _opened(path: Path, limits: Limits) -> Image.Image:
    """The picture with its header read and its limits checked."""
    try:
        image = Image.open(path, formats=_READ)
    except UnidentifiedImageError as error:
        raise _no_picture(path) from error
    except _DAMAGE as error:
        raise _damaged() from error
    width, height = image.size
    if width < 1 or height < 1:
        image.close()
        raise _damaged()
    if width * height > limits.max_pixels:
        image.close()
        raise TooManyPixels(
            f"The photo has {width * height / 1e6:.1f} megapixels ({width}x{height}); "
            f"at most {limits.max_pixels / 1e6:g} are read."
        )
    return image


def _damaged() -> PhotoDamaged:
    return PhotoDamaged("The file is damaged or cut short; it cannot be read to its end.")


def _no_picture(path: Path) -> NotAPhoto | PhotoDamaged:
    with path.open("rb") as file:
        head = file.read(512)
    webp = head.startswith(b"RIFF") and b"WEBP".startswith(head[8:12])  # sounds are RIFF too
    if head.startswith(_MAGIC) or webp or head[4:12] in (b"ftypavif", b"ftypheic", b"ftypmif1"):
        return _damaged()
    kind = next((kind for magic, kind in _OTHER_KINDS if head.startswith(magic)), None)
    if kind is None:
        kind = "a text" if _is_text(head) else "of a kind that is not read here"
    *labels, last = (known.label for known in FORMATS)
    return NotAPhoto(
        f"This is no photo: its content is {kind}. {', '.join(labels)} and {last} are read."
    )


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text)


def _decoded(
    image: Image.Image, path: Path, metadata: Metadata
) -> tuple[Pixels, Pixels | None, bool, Metadata]:
    """RGB pixels, alpha, whether the file was gray, and the metadata that fits them."""
    if _has_16_bits(image, path):
        return (*_decoded_16(path, _is_negative(image)), metadata)
    image.load()
    if image.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        pixels = np.array(in_srgb(image, metadata.icc_profile))
        profile = srgb_profile() if metadata.icc_profile else None
        return pixels, None, False, _with_profile(metadata, profile)
    if image.mode.startswith(("F", "I")):  # I;16 here is a TIFF with 12 bits
        raise NotAPhoto("The picture holds numbers of a rare kind; save it with 8 or 16 bits.")
    has_alpha = image.has_transparency_data
    one_channel = image.mode in ("1", "L", "LA", "La")
    if one_channel and profile_space(metadata.icc_profile) == "RGB":
        metadata = _with_profile(metadata, None)  # does not describe this file
    rgba = np.array(image.convert("RGBA" if has_alpha else "RGB"))
    pixels = np.ascontiguousarray(rgba[..., :3])
    alpha = np.ascontiguousarray(rgba[..., 3]) if has_alpha else None
    return pixels, alpha, one_channel, metadata


def _with_profile(metadata: Metadata, profile: bytes | None) -> Metadata:
    return replace(metadata, icc_profile=profile)


def _has_16_bits(image: Image.Image, path: Path) -> bool:
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24:25] == b"\x10"  # the header chunk's bit depth
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        bits = tags.get(258, (1,))
        if max(bits if isinstance(bits, tuple) else (bits,)) != 16:
            return False
        if image.mode.startswith("RGB") and tags.get(_PLANES_TAG) == 2:
            raise NotAPhoto(
                "The picture holds its colours one after the other with 16 bits, which is not "
                "read; save it interleaved, or with 8 bits."
            )
        signed = 2 in tags.get(_SAMPLE_FORMAT_TAG, ())
        return not signed and image.mode not in ("F", "CMYK")  # these are left to Pillow
    return False


def _is_negative(image: Image.Image) -> bool:
    """Whether a gray TIFF says that 0 is white, which OpenCV leaves as it is."""
    return image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC_TAG) == 0  # type: ignore[attr-defined]


def _decoded_16(path: Path, negative: bool) -> tuple[Pixels, Pixels | None, bool]:
    encoded = path.read_bytes()
    if encoded.startswith(b"\x89PNG") and not _chunks_fit(encoded):
        raise _damaged()
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise _damaged()
    levels: NDArray[np.uint16] = decoded.astype(np.uint16, copy=False)
    if negative:
        levels = ~levels
    if levels.ndim == 2:
        return np.repeat(levels[:, :, None], 3, axis=2), None, True
    pixels = np.ascontiguousarray(levels[..., 2::-1])
    alpha = np.ascontiguousarray(levels[..., 3]) if levels.shape[2] == 4 else None
    return pixels, alpha, False


def _chunks_fit(png: bytes) -> bool:
    """Whether no chunk claims to be longer than the file; OpenCV would take memory for it."""
    at = 8
    while at + 8 <= len(png):
        length, kind = struct.unpack_from(">L4s", png, at)
        at += 12 + length
        if kind == b"IEND":
            break
    return at <= len(png)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply EXIF orientation 1..8 to (H, W[, 3])."""
    turned = pixels if orientation < 5 else pixels.swapaxes(0, 1)  # 5..8 swap rows and columns
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return np.ascontiguousarray(turned)  # type: ignore[return-value]


def is_monochrome(pixels: Pixels) -> bool:
    """Whether R, G and B are equal everywhere, up to a JPEG's rounding."""
    tolerance = GRAY_TOLERANCE * (white_of(pixels) // 255)
    red, green, blue = (pixels[..., channel] for channel in range(3))
    return all(
        int(cv2.norm(one, other, cv2.NORM_INF)) <= tolerance
        for one, other in ((red, green), (green, blue))
    )


# Writing


def write_photo(
    photo: Photo,
    folder: Path,
    saving: Saving,
    *,
    provenance: Provenance | None,
    stem: str | None = None,
) -> Path:
    """Write the photo into ``folder`` and give its path; the suffix tells what the bytes are.

    ``same`` keeps the input's format; GIF, which holds 256 colours, becomes PNG. JPEG has no
    transparency: such photos are laid on white. ``quality`` 1..100 acts on JPEG, WebP, AVIF and
    HEIC. Raises OutputNotWritable, or OSError where the disk is full.
    """
    target = _target(photo.file_format, saving.output_format)
    metadata = for_result(photo.metadata, photo.size, saving.keep_metadata, provenance)
    path = folder / safe_name(stem or f"{Path(photo.name).stem}_enhanced", target.suffix or "")
    with replacing(path) as part:
        part.write_bytes(encoded(photo, metadata, target, saving.quality))
    return path


def result_suffix(path: Path, output_format: OutputFormat) -> str | None:
    """The suffix that the result of this file will have; None where it is no photo."""
    try:
        with Image.open(path, formats=_READ) as image:
            read_as = "JPEG" if image.format == "MPO" else str(image.format)
    except _DAMAGE:
        return None
    return _target(read_as, output_format).suffix


def _target(read_as: str, wanted: OutputFormat) -> FileFormat:
    """The format of the result of a photo that came in the format ``read_as``."""
    if wanted is not OutputFormat.SAME:
        return BY_NAME[wanted.value.upper()]
    own = BY_NAME.get(read_as, FULL)
    return FULL if own.suffix is None else own


# Looking


def preview(photo: Photo, folder: Path, longest_px: int, stem: str) -> Path:
    """A small sRGB picture that every browser shows: JPEG, or PNG where there is alpha."""
    image = as_image(photo)
    image.thumbnail((longest_px, longest_px), Image.Resampling.BOX, reducing_gap=2)
    profile = photo.metadata.icc_profile
    space = profile_space(profile)
    gray = space == "GRAY" and photo.monochrome
    fits = gray or space == "RGB"
    shown = in_srgb(image.convert("L" if gray else "RGB"), profile if fits else None)
    if photo.alpha is not None:
        shown.putalpha(image.getchannel("A"))
    suffix, name = (".jpg", "JPEG") if photo.alpha is None else (".png", "PNG")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / safe_name(stem, suffix)
    with replacing(path) as part:
        part.write_bytes(saved(shown, name, Metadata(), quality=88))
    return path
