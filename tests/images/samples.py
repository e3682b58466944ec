"""Photos as files of every format, and how they are read and written in tests."""

import io
import re
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from hypothesis import settings
from numpy.typing import NDArray
from PIL import ExifTags, Image, PngImagePlugin

from photoenhance_ui.images.codec import (
    Limits,
    Provenance,
    read_photo,
    write_photo,
)
from photoenhance_ui.photo import Photo
from photoenhance_ui.request import OutputFormat, Saving
from testing.photos import skimage_photo
from testing.profiles import swapped_profile

LIMITS = Limits(max_bytes=10_000_000, max_pixels=1_000_000)
COLOUR = np.ascontiguousarray(skimage_photo("chelsea")[100:132, 120:168])
HEIGHT, WIDTH = COLOUR.shape[:2]
GRAY = np.ascontiguousarray(COLOUR[..., 1])
OPACITY = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
COLOUR_16 = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), np.uint16)
GRAY_16 = np.ascontiguousarray(COLOUR_16[..., 0])
OPACITY_16 = np.ascontiguousarray(COLOUR_16[..., 1])

IMAGE = Image.fromarray(COLOUR)
RGBA = Image.fromarray(np.dstack([COLOUR, OPACITY]))
NOTE = Provenance(("RealESRGAN_x2plus", "restorer"), 2, 0.8)

FAITHFUL: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
    "BMP": {},
    "GIF": {},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "HEIF": {"quality": 95, "chroma": 444},
}
"""Every format that is read, with the options by which Pillow writes it near to lossless."""
SUFFIXES = {"JPEG": ".jpg", "WEBP": ".webp", "TIFF": ".tiff", "HEIF": ".heic", "GIF": ".png"}
KIND_BY_SUFFIX = {
    ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tiff": "TIFF", ".avif": "AVIF",
    ".heic": "HEIF", ".bmp": "BMP",
}  # fmt: skip
CARRIERS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")
"""The formats that hold EXIF and a profile."""

unhurried = partial(settings, deadline=None)  # some decoders' first calls take their time


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def suffix_of(kind: str) -> str:
    return SUFFIXES.get(kind, f".{kind.lower()}")


def read(folder: Path, content: bytes, name: str = "photo.bin") -> Photo:
    path = folder / name
    path.write_bytes(content)
    return read_photo(path, LIMITS)


def write(photo: Photo, folder: Path, wanted: str = "same", **changed: Any) -> Path:
    folder.mkdir(exist_ok=True)
    own = {name: changed.pop(name) for name in ("quality", "keep_metadata") if name in changed}
    saving = Saving(OutputFormat(wanted), **{"quality": 90, **own})
    return write_photo(photo, folder, saving, **{"provenance": None, **changed})


def rewritten(photo: Photo, folder: Path, wanted: str = "same", **changed: Any) -> Photo:
    """The photo as it is read from its own result."""
    return read_photo(write(photo, folder / "out", wanted, **changed), LIMITS)


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The mean difference in levels."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other).mean())


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + kind + content + struct.pack(
        ">L", zlib.crc32(kind + content)
    )  # fmt: skip


def png_of(width: int, height: int, bits: int, colours: int, rows: bytes) -> bytes:
    """A PNG made by hand: ``colours`` 0 gray, 2 RGB, 4 gray with alpha; rows without filter."""
    head = struct.pack(">LLBBBBB", width, height, bits, colours, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff_of(pixels: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def png_16(pixels: NDArray[np.uint16]) -> bytes:
    kept, png = cv2.imencode(".png", pixels)
    assert kept
    return png.tobytes()


BGRA_16 = np.dstack([COLOUR_16[..., ::-1], OPACITY_16])
SIXTEEN: dict[str, Callable[[], bytes]] = {
    "PNG gray": lambda: png_16(GRAY_16),
    "PNG": lambda: png_16(COLOUR_16[..., ::-1]),
    "PNG alpha": lambda: png_16(BGRA_16),
    "TIFF gray": lambda: tiff_of(GRAY_16, photometric="minisblack"),
    "TIFF": lambda: tiff_of(COLOUR_16, photometric="rgb", compression="zlib", predictor=2),
    "TIFF tiled": lambda: tiff_of(COLOUR_16, photometric="rgb", tile=(16, 16), byteorder=">"),
    "TIFF alpha": lambda: tiff_of(
        np.dstack([COLOUR_16, OPACITY_16]), photometric="rgb", extrasamples=["unassalpha"]
    ),
}


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
    b' rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:title="the sea"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


ARTIST = "Jürgen 照片".encode()
SPELT = b"x" * len(ARTIST)  # Pillow's writers of TIFF and AVIF would write "?" for the letters


def telling_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x013B] = 1, "Maker", SPELT.decode()
    exif[ExifTags.IFD.Exif] = {0x9003: "2020:01:02 03:04:05", 0xA002: WIDTH, 0xA003: HEIGHT}
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (48.0, 51.0, 30.0)}
    return exif.tobytes().replace(SPELT, ARTIST)


def telling(kind: str) -> bytes:
    options: dict[str, Any] = {"exif": telling_exif(), "icc_profile": swapped_profile()}
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    elif kind != "TIFF":
        options["xmp"] = XMP
    if kind in ("JPEG", "PNG", "TIFF"):
        options["dpi"] = (300, 300)
    if kind in ("TIFF", "AVIF"):
        options["exif"] = options["exif"].replace(ARTIST, SPELT)
        return encoded(IMAGE, kind, **options).replace(SPELT, ARTIST)
    return encoded(IMAGE, kind, **options)


INPUTS: dict[str, Callable[[], bytes]] = {
    **{kind: partial(encoded, IMAGE, kind) for kind in FAITHFUL},
    "MPO": lambda: encoded(IMAGE, "MPO", save_all=True, append_images=[IMAGE]),
    "gray": lambda: encoded(Image.fromarray(GRAY), "PNG"),
    "transparent": lambda: encoded(RGBA, "WEBP"),
    "inks": lambda: encoded(IMAGE.convert("CMYK"), "JPEG"),
    "sixteen": SIXTEEN["TIFF alpha"],
}


def assert_plain(error: Exception) -> None:
    """A sentence that a person understands, without a program's words."""
    sentence = str(error)
    assert re.fullmatch(r"[A-Z].*[.]", sentence)
    assert not re.search(r"Error|Exception|Traceback|errno|None|\b0x|[{}\[\]_]|/tmp|\.py", sentence)
