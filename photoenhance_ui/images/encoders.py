"""Photos to the bytes of each format: Pillow, with OpenCV and tifffile for 16-bit colour."""

import errno
import io
import struct
from collections.abc import Callable
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from photoenhance_ui.errors import OutputNotWritable
from photoenhance_ui.images.formats import BY_NAME, FileFormat
from photoenhance_ui.images.metadata import (
    describing,
    in_srgb,
    profile_space,
    srgb_profile,
    without_orientation,
)
from photoenhance_ui.photo import Metadata, Photo, Pixels, in_8_bits

MIN_FULL_CHROMA_QUALITY = 90
MAX_OPTIMIZED_JPEG_PIXELS = 30_000_000
"""A JPEG with a code table of its own is some percent smaller, but its encoder holds the whole
picture in up to 6 bytes a pixel; larger ones are written row by row with the usual table."""
_XMP_TAG = 700
_UNWRITABLE = (
    ValueError, LookupError, TypeError, OverflowError, RuntimeError, SystemError, struct.error,
    cv2.error,
)  # fmt: skip
"""What the encoders raise on what their format cannot hold."""


def encoded(photo: Photo, metadata: Metadata, target: FileFormat, quality: int) -> bytes:
    """The photo as a file of that format; ``quality`` 1..100 acts where the format has one.

    Raises OutputNotWritable, or OSError where the disk is full.
    """
    if max(photo.size.width, photo.size.height) > target.max_side_px:
        raise OutputNotWritable(
            f"{target.label} holds at most {target.max_side_px} pixels a side; the "
            f"result has {photo.size}. Choose PNG or TIFF, or a smaller scale."
        )
    try:
        return _ENCODERS[target.name](photo, metadata, target, quality)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _not_writable(target) from error
    except _UNWRITABLE as error:
        raise _not_writable(target) from error


def _not_writable(target: FileFormat) -> OutputNotWritable:
    return OutputNotWritable(
        f"The result cannot be written as {target.label}. Choose another output format."
    )


def _png(photo: Photo, metadata: Metadata, _target: FileFormat, _quality: int) -> bytes:
    if photo.depth_bits == 16 and not _is_gray(photo):
        return _png_16(photo, metadata)
    text = PngImagePlugin.PngInfo()
    if metadata.xmp:
        text.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", errors="replace"))
    return saved(as_image(photo, keeps_16=True), "PNG", metadata, pnginfo=text, compress_level=4)


def _png_16(photo: Photo, metadata: Metadata) -> bytes:
    """16-bit colour, which Pillow cannot write."""
    kinds, blocks = [], []
    for kind, block in (
        (cv2.IMAGE_METADATA_EXIF, metadata.exif and metadata.exif.removeprefix(b"Exif\0\0")),
        (cv2.IMAGE_METADATA_XMP, metadata.xmp),
        (cv2.IMAGE_METADATA_ICCP, metadata.icc_profile),
    ):
        if block:
            kinds.append(kind)
            blocks.append(np.frombuffer(block, np.uint8))
    _, encoded = cv2.imencodeWithMetadata(".png", _bgra(photo), kinds, blocks)
    return encoded.tobytes()


def _bgra(photo: Photo) -> Pixels:
    layers = photo.pixels[..., ::-1]
    if photo.alpha is None:
        return np.ascontiguousarray(layers)  # type: ignore[return-value]
    return np.ascontiguousarray(np.dstack([layers, photo.alpha]))


def _tiff(photo: Photo, metadata: Metadata, _target: FileFormat, _quality: int) -> bytes:
    if photo.depth_bits == 16 and not _is_gray(photo):
        return _tiff_16(photo, metadata)
    tags: dict[int, Any] = dict(_described(metadata))
    # Pillow's compressing writer cannot write the directories that cameras add
    nested = any(isinstance(value, dict) for value in tags.values())
    if metadata.xmp:
        tags[_XMP_TAG] = metadata.xmp
    return saved(
        as_image(photo, keeps_16=True), "TIFF", metadata, tiffinfo=tags,
        compression="raw" if nested else "tiff_adobe_deflate",
    )  # fmt: skip


def _described(metadata: Metadata) -> Image.Exif:
    exif = Image.Exif()
    if metadata.exif:
        exif.load(metadata.exif)
    return describing(exif)


def _tiff_16(photo: Photo, metadata: Metadata) -> bytes:
    """16-bit colour, which Pillow cannot write. Of EXIF the main directory is kept."""
    layers = photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])
    tags: list[tuple[int, int, int, str | bytes, bool]] = [
        (tag, 2, 0, value, True)
        for tag, value in _described(metadata).items()
        if isinstance(value, str)
    ]
    if metadata.xmp:
        tags.append((_XMP_TAG, 1, len(metadata.xmp), metadata.xmp, True))
    buffer = io.BytesIO()
    import tifffile  # noqa: PLC0415 - takes up to half a second, and few photos are of this kind

    tifffile.imwrite(
        buffer,
        layers,
        photometric="rgb",
        extrasamples=None if photo.alpha is None else ["unassalpha"],
        compression="zlib",
        iccprofile=metadata.icc_profile,
        resolution=metadata.dpi,
        resolutionunit="INCH" if metadata.dpi else None,
        extratags=tags,
        metadata=None,
        software=False,
    )
    return buffer.getvalue()


def _jpeg(photo: Photo, metadata: Metadata, _target: FileFormat, quality: int) -> bytes:
    image = _on_white(as_image(photo))
    full = quality >= MIN_FULL_CHROMA_QUALITY
    return saved(
        image, "JPEG", metadata, xmp=metadata.xmp, quality=quality,
        optimize=photo.size.pixels <= MAX_OPTIMIZED_JPEG_PIXELS,
        subsampling="4:4:4" if full else "4:2:0",
    )  # fmt: skip


def _lossy(photo: Photo, metadata: Metadata, target: FileFormat, quality: int) -> bytes:
    """WebP, AVIF and HEIC: colour or colour with alpha, a profile for colour only."""
    image = as_image(photo)
    if image.mode in ("L", "LA"):
        image, metadata = _in_colour(image, metadata)
    if target.name == "AVIF" and metadata.exif:
        # to leave orientation out, its writer would write the block anew, in ASCII
        metadata = replace(metadata, exif=without_orientation(metadata.exif))
    extra = {"xmp": metadata.xmp} if metadata.xmp else {}
    return saved(image, target.name, metadata, quality=quality, **extra)


def _bmp(photo: Photo, metadata: Metadata, _target: FileFormat, _quality: int) -> bytes:
    image = as_image(photo)
    if image.mode == "LA":
        image = image.convert("RGBA")
    return saved(image, "BMP", Metadata(dpi=metadata.dpi))


def _in_colour(image: Image.Image, metadata: Metadata) -> tuple[Image.Image, Metadata]:
    """A gray picture in a format without gray, its gray profile applied instead of carried."""
    if profile_space(metadata.icc_profile) != "GRAY":
        return image.convert("RGBA" if image.mode == "LA" else "RGB"), metadata
    colour = in_srgb(image.convert("L"), metadata.icc_profile)
    if image.mode == "LA":
        colour.putalpha(image.getchannel("A"))
    return colour, replace(metadata, icc_profile=srgb_profile())


def _is_gray(photo: Photo) -> bool:
    """Whether the result can be written with one channel (16-bit: only without alpha)."""
    if not photo.one_channel:
        return False
    return photo.alpha is None or photo.depth_bits == 8


def as_image(photo: Photo, keeps_16: bool = False) -> Image.Image:
    """The photo as Pillow's L, LA, RGB, RGBA or I;16; 16 bits are rounded where not kept."""
    if keeps_16 and photo.depth_bits == 16 and _is_gray(photo):
        return Image.fromarray(np.ascontiguousarray(photo.pixels[..., 0]))
    pixels = in_8_bits(photo.pixels[..., 0] if photo.one_channel else photo.pixels)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(in_8_bits(photo.alpha)))
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return image
    plain = image.convert("L" if image.mode == "LA" else "RGB")
    white = Image.new(plain.mode, image.size, 255 if plain.mode == "L" else (255, 255, 255))
    white.paste(plain, mask=image.getchannel("A"))
    return white


def saved(image: Image.Image, name: str, metadata: Metadata, **options: object) -> bytes:
    """Encode with whatever of the metadata there is."""
    if metadata.exif:
        options["exif"] = metadata.exif
    if metadata.icc_profile:
        options["icc_profile"] = metadata.icc_profile
    if metadata.dpi and BY_NAME[name].has_dpi:
        options["dpi"] = metadata.dpi
    given = {key: value for key, value in options.items() if value is not None}
    # libtiff leaves gaps as they are: in memory that is whatever lay there, in a file zeros
    with TemporaryFile() if name == "TIFF" else io.BytesIO() as buffer:
        image.save(buffer, name, **given)
        buffer.seek(0)
        return buffer.read()


_ENCODERS: dict[str, Callable[[Photo, Metadata, FileFormat, int], bytes]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "WEBP": _lossy,
    "TIFF": _tiff,
    "AVIF": _lossy,
    "HEIF": _lossy,
    "BMP": _bmp,
}
