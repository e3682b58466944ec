import io
import re
import resource
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from photoenhance_ui.codec import (
    Limits,
    Provenance,
    check_bytes,
    is_monochrome,
    preview,
    probe,
    read_photo,
    result_suffix,
    upright,
    write_photo,
)
from photoenhance_ui.difference import faithfulness_db
from photoenhance_ui.errors import (
    FileTooLarge,
    NotAPhoto,
    OutputNotWritable,
    PhotoDamaged,
    PhotoEmpty,
    PhotoMissing,
    PhotoRefused,
    TooManyPixels,
)
from photoenhance_ui.formats import READABLE_SUFFIXES
from photoenhance_ui.geometry import Size
from photoenhance_ui.metadata import profile_space, srgb_profile
from photoenhance_ui.names import KEPT_ENDINGS, safe_name
from photoenhance_ui.photo import Metadata, Photo
from photoenhance_ui.request import OutputFormat, Saving
from photoenhance_ui.settings import Settings
from tests.conftest import skimage_photo
from tests.profiles import linear_gray_profile, swapped_profile

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


# Reading


@pytest.mark.parametrize("kind", FAITHFUL)
def test_every_format_is_read(tmp_path: Path, kind: str) -> None:
    photo = read(tmp_path, encoded(IMAGE, kind, **FAITHFUL[kind]), f"照片{suffix_of(kind)}")
    assert difference(photo.pixels, COLOUR) < (8 if kind == "GIF" else 3)
    assert photo.pixels.dtype == np.uint8
    assert (photo.file_format, photo.name) == (kind, f"照片{suffix_of(kind)}")
    assert photo.alpha is None
    assert not photo.one_channel
    assert not photo.monochrome


@pytest.mark.parametrize("kind", FAITHFUL)
@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.txt", "photo"])
def test_what_a_file_is_its_bytes_decide(tmp_path: Path, kind: str, name: str) -> None:
    photo = read(tmp_path, encoded(IMAGE, kind), name)
    assert photo.file_format == kind
    told = result_suffix(tmp_path / name, OutputFormat.SAME)
    assert told == write(photo, tmp_path / "out").suffix == suffix_of(kind)


def test_the_size_is_told_without_decoding(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    whole = encoded(Image.effect_noise((300, 200), 50), "PNG")
    path.write_bytes(whole[: len(whole) // 2])
    assert probe(path, LIMITS) == Size(300, 200)
    with pytest.raises(PhotoDamaged):
        read_photo(path, LIMITS)


def test_a_photo_can_be_called_otherwise_than_its_file(tmp_path: Path) -> None:
    path = tmp_path / "1"
    path.write_bytes(encoded(IMAGE, "PNG"))
    assert read_photo(path, LIMITS, "夏 été.png").name == "夏 été.png"


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        moving = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        photo = read(tmp_path, moving)
        assert (photo.pixels == (255, 0, 0)).all()
        assert photo.size == Size(8, 6)


def test_a_stereo_photo_counts_as_jpeg(tmp_path: Path) -> None:
    pair = encoded(IMAGE, "MPO", save_all=True, append_images=[ImageOps.mirror(IMAGE)])
    photo = read(tmp_path, pair, "pair.mpo")
    assert photo.file_format == "JPEG"
    assert difference(photo.pixels, COLOUR) < 6
    assert result_suffix(tmp_path / "pair.mpo", OutputFormat.SAME) == ".jpg"
    with Image.open(write(photo, tmp_path / "out")) as result:
        assert result.format == "JPEG"
        assert result.size == IMAGE.size


def test_every_suffix_that_a_folder_is_searched_for_is_readable(tmp_path: Path) -> None:
    readable = {
        suffix for suffix, kind in Image.registered_extensions().items() if kind in FAITHFUL
    }
    assert set(READABLE_SUFFIXES) <= readable | {".mpo"}
    assert {suffix_of(kind) for kind in FAITHFUL} <= set(READABLE_SUFFIXES)


# Upright


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", CARRIERS)
def test_a_turned_photo_is_read_and_written_upright(tmp_path: Path, kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = turn, "Maker"
    content = encoded(IMAGE, kind, **FAITHFUL[kind], exif=exif.tobytes())
    with Image.open(io.BytesIO(content)) as image:
        shown = np.array(ImageOps.exif_transpose(image))
    assert difference(shown, turned(COLOUR, turn)) < 3
    photo = read(tmp_path, content)
    assert np.array_equal(photo.pixels, shown)
    with Image.open(write(photo, tmp_path / "out", quality=100)) as result:
        assert result.getexif().get(0x0112, 1) == 1
        assert result.getexif()[0x010F] == "Maker"
        assert difference(np.array(result), shown) < 5


@pytest.mark.parametrize("turn", range(1, 9))
def test_sixteen_bits_are_read_upright(tmp_path: Path, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    block = np.frombuffer(exif.tobytes().removeprefix(b"Exif\0\0"), np.uint8)
    kinds = [cv2.IMAGE_METADATA_EXIF]
    _, png = cv2.imencodeWithMetadata(".png", COLOUR_16[..., ::-1], kinds, [block])
    tags = [(0x0112, 3, 1, turn, True)]
    for content in (
        png.tobytes(),
        tiff_of(COLOUR_16, photometric="rgb", extratags=tags),
        tiff_of(COLOUR_16, photometric="rgb", extratags=tags, tile=(16, 16), compression="zlib"),
    ):
        photo = read(tmp_path, content)
        assert np.array_equal(photo.pixels, turned(COLOUR_16, turn))
        assert photo.depth_bits == 16


def turned(pixels: NDArray[Any], turn: int) -> NDArray[Any]:
    """What EXIF means by its eight numbers, said with quarter turns and mirrors."""
    mirrored = turn in (2, 4, 5, 7)
    quarters = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}[turn]
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, quarters)


@pytest.mark.parametrize("turn", range(1, 9))
def test_planes_are_turned_as_colours_are(turn: int) -> None:
    assert np.array_equal(upright(COLOUR, turn), turned(COLOUR, turn))
    assert np.array_equal(upright(GRAY, turn), turned(COLOUR, turn)[..., 1])
    assert upright(COLOUR, turn).flags.c_contiguous


def test_transparency_is_turned_with_the_colours(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = read(tmp_path, encoded(RGBA, "PNG", exif=exif.tobytes()))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, turned(OPACITY, 6))


# Transparency


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_transparency_is_kept(tmp_path: Path, kind: str) -> None:
    source = read(tmp_path, encoded(RGBA, "PNG"))
    photo = rewritten(replace(source, file_format=kind), tmp_path, quality=100)
    again = rewritten(photo, tmp_path, quality=100)
    for made in (source, photo, again):
        assert made.alpha is not None
        assert difference(made.alpha, OPACITY) < 3


def test_a_palette_with_transparency_is_read_as_colours_with_alpha(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 2), 0)
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata([0, 1, 2, 0, 0, 1, 2, 0])
    photo = read(tmp_path, encoded(picture, "PNG", transparency=bytes([255, 128, 0])))
    assert photo.alpha is not None
    assert photo.alpha[0].tolist() == [255, 128, 0, 255]
    assert photo.pixels[0, :2].tolist() == [[255, 0, 0], [0, 255, 0]]
    again = rewritten(photo, tmp_path)
    assert again.alpha is not None
    assert np.array_equal(again.alpha, photo.alpha)
    assert np.array_equal(again.pixels, photo.pixels)


def test_gray_with_transparency_stays_both(tmp_path: Path) -> None:
    picture = Image.merge("LA", [Image.fromarray(GRAY), Image.fromarray(OPACITY)])
    photo = read(tmp_path, encoded(picture, "PNG"))
    for made in (photo, rewritten(photo, tmp_path), rewritten(photo, tmp_path, "tiff")):
        assert made.one_channel
        assert made.monochrome
        assert made.alpha is not None
        assert np.array_equal(made.alpha, OPACITY)
        assert np.array_equal(made.pixels[..., 0], GRAY)
    for wanted in ("webp", "avif"):
        coloured = rewritten(photo, tmp_path, wanted, quality=100)
        assert coloured.alpha is not None
        assert difference(coloured.alpha, OPACITY) < 3


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_jpeg_shows_transparent_photos_on_white(tmp_path: Path, mode: str) -> None:
    black = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    black.paste((0, 0, 0, 128), (16, 0, 32, 32))
    photo = rewritten(
        read(tmp_path, encoded(black.convert(mode), "PNG")), tmp_path, "jpeg", quality=100
    )
    assert photo.alpha is None
    assert photo.pixels[:, :8].min() >= 253
    assert abs(int(photo.pixels[16, 28, 0]) - 127) <= 3


def test_a_large_jpeg_is_written_without_a_table_of_its_own_with_the_same_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = read(tmp_path, encoded(IMAGE, "PNG"))
    small = read_photo(small_path := write(photo, tmp_path / "small", "jpeg"), LIMITS)
    monkeypatch.setattr("photoenhance_ui.encoders.MAX_OPTIMIZED_JPEG_PIXELS", photo.size.pixels - 1)
    large = read_photo(large_path := write(photo, tmp_path / "large", "jpeg"), LIMITS)
    assert large_path.stat().st_size > small_path.stat().st_size
    assert np.array_equal(large.pixels, small.pixels)


# Depth and gray


@pytest.mark.parametrize("wanted", ["same", "png", "tiff"])
@pytest.mark.parametrize("name", SIXTEEN)
def test_sixteen_bits_stay_sixteen_without_loss(tmp_path: Path, name: str, wanted: str) -> None:
    source = read(tmp_path, SIXTEEN[name]())
    for photo in (source, rewritten(source, tmp_path, wanted)):
        assert photo.depth_bits == 16
        expected = np.dstack([GRAY_16] * 3) if "gray" in name else COLOUR_16
        assert np.array_equal(photo.pixels, expected)
        assert (photo.one_channel, photo.monochrome) == ("gray" in name, "gray" in name)
        assert (photo.alpha is not None) == ("alpha" in name)
        if photo.alpha is not None:
            assert photo.alpha.dtype == np.uint16
            assert np.array_equal(photo.alpha, OPACITY_16)


def test_the_alpha_of_sixteen_bits_is_said_not_to_be_multiplied_in(tmp_path: Path) -> None:
    photo = read(tmp_path, SIXTEEN["PNG alpha"]())
    with tifffile.TiffFile(write(photo, tmp_path / "out", "tiff")) as result:
        assert result.pages[0].extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,)


def test_sixteen_bit_gray_with_alpha_keeps_both(tmp_path: Path) -> None:
    rows = np.dstack([GRAY_16, OPACITY_16]).astype(">u2").reshape(HEIGHT, -1)
    png = png_of(WIDTH, HEIGHT, 16, 4, b"".join(b"\0" + row.tobytes() for row in rows))
    source = read(tmp_path, png)
    for photo in (source, rewritten(source, tmp_path), rewritten(source, tmp_path, "tiff")):
        assert photo.monochrome
        assert photo.alpha is not None
        assert np.array_equal(photo.pixels[..., 2], GRAY_16)
        assert np.array_equal(photo.alpha, OPACITY_16)


@pytest.mark.parametrize("wanted", ["jpeg", "webp", "avif"])
def test_where_a_format_has_eight_bits_sixteen_are_rounded(tmp_path: Path, wanted: str) -> None:
    levels = np.full((16, 16, 3), 200 * 257 + 100, np.uint16)  # 200.39 in 8 bits
    opaque = Photo(levels, "a.png", "PNG")
    for photo in (opaque, replace(opaque, alpha=levels[..., 0])):
        if photo.alpha is not None and wanted == "jpeg":
            continue
        made = rewritten(photo, tmp_path, wanted, quality=100)
        assert made.depth_bits == 8
        assert difference(made.pixels, np.full_like(made.pixels, 200)) <= 1
        if photo.alpha is not None:
            assert made.alpha is not None
            assert difference(made.alpha, np.full_like(made.alpha, 200)) <= 1


@pytest.mark.parametrize("kind", FAITHFUL)
def test_gray_stays_one_channel_and_monochrome(tmp_path: Path, kind: str) -> None:
    content = encoded(Image.fromarray(GRAY), kind, **FAITHFUL[kind])
    source = read(tmp_path, content)
    photo = rewritten(source, tmp_path, quality=100)
    for made in (source, photo):
        assert made.monochrome
        assert difference(made.pixels, np.dstack([GRAY] * 3)) < 4
    if kind in ("JPEG", "PNG", "TIFF", "BMP"):  # the others have no gray
        assert source.one_channel
        with Image.open(write(source, tmp_path / "out")) as result:
            assert result.mode == "L"


@pytest.mark.parametrize("wanted", OutputFormat)
def test_black_and_white_stays_black_and_white_in_every_format(
    tmp_path: Path, wanted: OutputFormat
) -> None:
    source = read(tmp_path, encoded(Image.fromarray(GRAY), "JPEG"))
    assert rewritten(source, tmp_path, wanted, quality=80).monochrome


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_one_bit_is_read_as_black_and_white(tmp_path: Path, kind: str) -> None:
    bits = GRAY > 128
    photo = read(tmp_path, encoded(Image.fromarray(bits), kind))
    assert np.array_equal(photo.pixels[..., 0], bits.astype(np.uint8) * 255)
    assert photo.monochrome
    assert photo.one_channel or kind == "BMP"


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_tiff_whose_zero_is_white_is_no_negative(tmp_path: Path, depth: type) -> None:
    levels = np.linspace(0, np.iinfo(depth).max, 64 * 64).astype(depth).reshape(64, 64)
    photo = read(tmp_path, tiff_of(levels, photometric="miniswhite"))
    assert np.array_equal(photo.pixels[..., 0], np.iinfo(depth).max - levels)
    assert np.array_equal(rewritten(photo, tmp_path).pixels, photo.pixels)


@pytest.mark.parametrize(
    "content",
    [
        tiff_of(np.moveaxis(COLOUR_16, 2, 0), photometric="rgb", planarconfig="separate"),
        tiff_of(GRAY_16.view(np.int16), photometric="minisblack"),
        tiff_of(GRAY_16.astype(np.float32) / 65535, photometric="minisblack"),
        tiff_of(GRAY_16.astype(np.uint32), photometric="minisblack"),
    ],
    ids=["planes", "signed", "real", "32 bits"],
)
def test_numbers_that_would_be_misread_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NotAPhoto, match="save it") as refused:
        read(tmp_path, content)
    assert_plain(refused.value)


def test_twelve_bits_are_refused_and_not_cut_off(tmp_path: Path) -> None:
    packed = bytes(range(96))  # 8 x 8 numbers of 12 bits
    entries = [
        (256, 3, 8), (257, 3, 8), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1),
        (278, 3, 8), (279, 4, len(packed)),
    ]  # fmt: skip
    table = b"".join(struct.pack("<HHLL", tag, kind, 1, value) for tag, kind, value in entries)
    directory = struct.pack("<H", len(entries)) + table + bytes(4)
    with pytest.raises(NotAPhoto):
        read(tmp_path, b"II*\0" + struct.pack("<L", 8 + len(packed)) + packed + directory)


# Colours


@pytest.mark.parametrize(
    ("inks", "colour"),
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 255, 255, 0), (255, 0, 0)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 0, 0, 128), (127, 127, 127)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_come_out_as_their_colours(
    tmp_path: Path, kind: str, inks: tuple[int, ...], colour: tuple[int, ...]
) -> None:
    photo = read(tmp_path, encoded(Image.new("CMYK", (16, 16), inks), kind))
    assert np.abs(photo.pixels.astype(int) - colour).max() <= 3
    assert photo.metadata.icc_profile is None
    assert np.abs(rewritten(photo, tmp_path).pixels.astype(int) - colour).max() <= 5


def test_inks_of_sixteen_bits_come_out_as_their_colours(tmp_path: Path) -> None:
    cyan = np.zeros((8, 8, 4), np.uint16)
    cyan[..., 0] = 65535
    photo = read(tmp_path, tiff_of(cyan, photometric="separated"))
    assert np.abs(photo.pixels.astype(int) - (0, 255, 255)).max() <= 3


def test_inks_with_a_profile_that_cannot_be_used_are_said_to_be_srgb(tmp_path: Path) -> None:
    inks = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    photo = read(tmp_path, encoded(inks, "JPEG", icc_profile=b"no profile of any use"))
    assert np.abs(photo.pixels.astype(int) - (0, 255, 255)).max() <= 3
    assert photo.metadata.icc_profile == srgb_profile()


def test_a_profile_that_does_not_fit_gray_is_not_carried_on(tmp_path: Path) -> None:
    gray = Image.fromarray(GRAY)
    wrong = read(tmp_path, encoded(gray, "PNG", icc_profile=srgb_profile()))
    right = read(tmp_path, encoded(gray, "PNG", icc_profile=linear_gray_profile()))
    assert wrong.metadata.icc_profile is None
    assert right.metadata.icc_profile == linear_gray_profile()


@pytest.mark.parametrize("wanted", OutputFormat)
def test_gray_with_a_profile_looks_the_same_in_every_format(
    tmp_path: Path, wanted: OutputFormat
) -> None:
    gray = Image.new("L", (16, 16), 128)
    source = read(tmp_path, encoded(gray, "PNG", icc_profile=linear_gray_profile()))
    made = rewritten(source, tmp_path, wanted, quality=100)
    if made.one_channel:
        assert profile_space(made.metadata.icc_profile) == "GRAY"
        assert difference(made.pixels, np.full_like(made.pixels, 128)) <= 1
    else:
        assert profile_space(made.metadata.icc_profile) == "RGB"
        assert difference(made.pixels, np.full_like(made.pixels, 188)) <= 2


@pytest.mark.parametrize("kind", CARRIERS)
def test_the_pixels_of_a_profile_stay_and_so_does_the_profile(tmp_path: Path, kind: str) -> None:
    content = encoded(IMAGE, kind, **FAITHFUL[kind], icc_profile=swapped_profile())
    source = read(tmp_path, content)
    assert source.metadata.icc_profile == swapped_profile()
    assert difference(source.pixels, COLOUR) < 3
    assert rewritten(source, tmp_path).metadata.icc_profile == swapped_profile()


# Metadata through files


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


@pytest.mark.parametrize("wanted", ["same", "jpeg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("kind", CARRIERS)
def test_what_a_file_tells_is_carried_over(tmp_path: Path, kind: str, wanted: str) -> None:
    source = read(tmp_path, telling(kind))
    doubled = np.repeat(np.repeat(source.pixels, 2, 0), 2, 1)
    path = write(source.with_pixels(doubled, None), tmp_path / "out", wanted, provenance=NOTE)
    with Image.open(path) as result:
        exif = result.getexif()
        details, gps = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
        assert exif[0x010F] == "Maker"
        assert exif[0x013B].encode("latin-1") == ARTIST
        assert details[0x9003] == "2020:01:02 03:04:05"
        assert (details[0xA002], details[0xA003]) == (2 * WIDTH, 2 * HEIGHT) == result.size
        assert (gps[1], gps[2]) == ("N", (48.0, 51.0, 30.0))
        assert result.info["icc_profile"] == swapped_profile()
        if {kind, result.format} <= {"JPEG", "PNG", "TIFF"}:
            assert result.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    if kind != "TIFF":
        assert b'dc:title="the sea"' in path.read_bytes()


@pytest.mark.parametrize("wanted", ["same", "jpeg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("kind", CARRIERS)
def test_without_keeping_the_file_tells_of_nobody(tmp_path: Path, kind: str, wanted: str) -> None:
    source = read(tmp_path, telling(kind))
    path = write(source, tmp_path / "out", wanted, keep_metadata=False, provenance=NOTE)
    content = path.read_bytes()
    for word in (b"Maker", ARTIST, b"2020:01:02", b"the sea"):
        assert word not in content
    with Image.open(path) as result:
        assert result.info["icc_profile"] == swapped_profile()
        assert not result.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        assert not result.getexif().get_ifd(ExifTags.IFD.Exif)


@pytest.mark.parametrize("wanted", ["png", "tiff"])
def test_sixteen_bits_carry_what_their_file_tells(tmp_path: Path, wanted: str) -> None:
    metadata = Metadata(swapped_profile(), telling_exif(), XMP, (300.0, 300.0))
    photo = Photo(COLOUR_16, "a.png", "PNG", metadata=metadata)
    with Image.open(write(photo, tmp_path / "out", wanted, provenance=NOTE)) as result:
        assert result.getexif()[0x010F] == "Maker"
        assert result.getexif()[0x013B].encode("latin-1") == ARTIST
        assert result.info["icc_profile"] == swapped_profile()
        if wanted == "tiff":
            assert result.info["dpi"] == (300, 300)
    again = rewritten(photo, tmp_path, wanted, provenance=NOTE)
    assert again.metadata.xmp is not None
    assert b"the sea" in again.metadata.xmp
    assert b"photoenhance:Networks" in again.metadata.xmp
    bare = rewritten(photo, tmp_path, wanted, keep_metadata=False)
    assert bare.metadata.xmp is None
    assert b"Maker" not in (bare.metadata.exif or b"")
    assert bare.metadata.icc_profile == swapped_profile()


def test_a_tiff_that_tells_nothing_is_compressed(tmp_path: Path) -> None:
    flat = read(tmp_path, encoded(Image.new("RGB", (200, 200), (9, 99, 200)), "PNG"))
    assert write(flat, tmp_path / "out", "tiff").stat().st_size < 200 * 200 * 3 / 10


def noted(path: Path) -> list[dict[str, str]]:
    """Our notes in a file, each by the bare names of its properties."""
    xmp = read_photo(path, LIMITS).metadata.xmp
    assert xmp is not None
    every = [
        {name.partition("}")[2]: value for name, value in node.attrib.items()}
        for node in ElementTree.fromstring(xmp).iter()
    ]
    return [note for note in every if "Networks" in note]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("kind", CARRIERS)
def test_a_result_tells_that_it_was_enhanced_and_how(tmp_path: Path, kind: str, keep: bool) -> None:
    first = write(
        read(tmp_path, telling(kind)), tmp_path / "one", keep_metadata=keep, provenance=NOTE
    )
    (note,) = noted(first)
    assert note["DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert note["Networks"] == "RealESRGAN_x2plus, restorer"
    assert (note["Scale"], note["FaceStrength"]) == ("2", "0.8")
    second = write(
        read_photo(first, LIMITS), tmp_path / "two", keep_metadata=keep,
        provenance=Provenance(("builtin",), 4),
    )  # fmt: skip
    (note,) = noted(second)
    assert (note["Networks"], note["Scale"]) == ("builtin", "4")
    assert "FaceStrength" not in note
    assert second.read_bytes().count(b"DigitalSourceType=") == 1


# Writing


INPUTS: dict[str, Callable[[], bytes]] = {
    **{kind: partial(encoded, IMAGE, kind) for kind in FAITHFUL},
    "MPO": lambda: encoded(IMAGE, "MPO", save_all=True, append_images=[IMAGE]),
    "gray": lambda: encoded(Image.fromarray(GRAY), "PNG"),
    "transparent": lambda: encoded(RGBA, "WEBP"),
    "inks": lambda: encoded(IMAGE.convert("CMYK"), "JPEG"),
    "sixteen": SIXTEEN["TIFF alpha"],
}


@pytest.mark.parametrize("wanted", OutputFormat)
@pytest.mark.parametrize("name", INPUTS)
def test_the_suffix_always_tells_the_truth(tmp_path: Path, name: str, wanted: OutputFormat) -> None:
    path = tmp_path / "sea.jpeg"
    photo = read(tmp_path, INPUTS[name](), path.name)
    result = write(photo, tmp_path / "out", wanted)
    assert result.suffix == result_suffix(path, wanted)
    with Image.open(result) as image:
        assert image.format == KIND_BY_SUFFIX[result.suffix]
        assert image.size == (WIDTH, HEIGHT)
        if wanted is not OutputFormat.SAME:
            assert image.format == wanted.upper()
    assert result.name == f"sea_enhanced{result.suffix}"


def test_gif_becomes_png_which_holds_all_colours(tmp_path: Path) -> None:
    source = replace(read(tmp_path, encoded(IMAGE, "GIF")), pixels=COLOUR)
    path = write(source, tmp_path / "out")
    assert path.suffix == ".png"
    assert np.array_equal(read_photo(path, LIMITS).pixels, COLOUR)


def test_no_suffix_is_foretold_for_what_is_no_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    assert result_suffix(path, OutputFormat.SAME) is None
    path.write_text("no photo")
    assert result_suffix(path, OutputFormat.PNG) is None


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("WEBP", (20_000, 2)),
        ("WEBP", (2, 16_384)),
        ("AVIF", (32_769, 2)),
        ("HEIF", (20_000, 2)),
        ("JPEG", (65_501, 1)),
        ("BMP", (1, 65_536)),
    ],
)
def test_a_side_that_a_format_cannot_hold_is_told(
    tmp_path: Path, kind: str, size: tuple[int, int]
) -> None:
    photo = Photo(np.zeros((size[1], size[0], 3), np.uint8), "thin.x", kind)
    with pytest.raises(OutputNotWritable, match=f"{size[0]}x{size[1]}") as refused:
        write(photo, tmp_path / "out")
    assert_plain(refused.value)
    assert "PNG" in refused.value.sentence
    assert list((tmp_path / "out").iterdir()) == []
    assert rewritten(photo, tmp_path, "png").size == Size(*size)


@pytest.mark.parametrize(
    ("kind", "width"), [("WEBP", 16_383), ("AVIF", 32_768), ("JPEG", 65_500), ("BMP", 65_535)]
)
def test_the_longest_side_can_be_read_again(tmp_path: Path, kind: str, width: int) -> None:
    photo = Photo(np.zeros((2, width, 3), np.uint8), "thin.x", kind)
    assert rewritten(photo, tmp_path).size == Size(width, 2)


def test_what_an_encoder_cannot_do_is_told_by_the_formats_name(tmp_path: Path) -> None:
    thin = Photo(np.zeros((2, 16_384, 3), np.uint8), "thin.heic", "HEIF")
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    wordy = Photo(COLOUR, "wordy.jpg", "JPEG", metadata=Metadata(exif=exif.tobytes()))
    for photo, name in ((thin, "HEIC"), (wordy, "JPEG")):
        with pytest.raises(OutputNotWritable, match=name) as refused:
            write(photo, tmp_path / name)
        assert_plain(refused.value)
        assert list((tmp_path / name).iterdir()) == []
        assert rewritten(photo, tmp_path, "png").size == photo.size


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "HEIF"])
def test_quality_decides_how_large_a_lossy_file_is(tmp_path: Path, kind: str) -> None:
    noisy = skimage_photo("chelsea", 96)
    photo = Photo(noisy, "a.x", kind)
    sizes, errors = [], []
    for quality in (20, 60, 95):
        path = write(photo, tmp_path / "out", quality=quality)
        sizes.append(path.stat().st_size)
        errors.append(difference(read_photo(path, LIMITS).pixels, noisy))
    assert sizes == sorted(set(sizes))
    assert errors == sorted(set(errors), reverse=True)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_quality_leaves_lossless_files_as_they_are(tmp_path: Path, kind: str) -> None:
    photo = Photo(COLOUR, "a.x", kind)
    first = write(photo, tmp_path / "out", quality=1).read_bytes()
    assert write(photo, tmp_path / "out", quality=100).read_bytes() == first
    assert np.array_equal(rewritten(photo, tmp_path).pixels, COLOUR)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes, as on a disk that fills up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    photo = Photo(COLOUR, "a.png", "PNG")
    with files_of_at_most(500), pytest.raises(OSError):
        write(photo, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_write_that_breaks_off_leaves_an_earlier_result_whole(tmp_path: Path) -> None:
    photo = Photo(COLOUR, "a.png", "PNG")
    earlier = write(photo, tmp_path / "out")
    content = earlier.read_bytes()
    with files_of_at_most(500), pytest.raises(OSError):
        write(replace(photo, pixels=255 - COLOUR), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [earlier]
    assert earlier.read_bytes() == content


def test_a_result_whose_name_is_taken_by_a_folder_leaves_no_part(tmp_path: Path) -> None:
    taken = tmp_path / "out" / "a_enhanced.png"
    taken.mkdir(parents=True)
    with pytest.raises(OSError):
        write(Photo(COLOUR, "a.png", "PNG"), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [taken]


def test_a_preview_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    photo = Photo(skimage_photo("chelsea"), "a.png", "PNG")
    with files_of_at_most(500), pytest.raises(OSError):
        preview(photo, tmp_path / "shown", 256, "a")
    assert list((tmp_path / "shown").iterdir()) == []


def test_a_written_file_replaces_the_one_of_its_name(tmp_path: Path) -> None:
    photo = Photo(COLOUR, "a.png", "PNG")
    write(photo, tmp_path / "out")
    path = write(replace(photo, pixels=255 - COLOUR), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [path]
    assert np.array_equal(read_photo(path, LIMITS).pixels, 255 - COLOUR)


# Names


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("夏の海 été.jpg", "夏の海 été_enhanced.png"),
        ("📷.jpg", "📷_enhanced.png"),
        ("two.dots.jpg", "two.dots_enhanced.png"),
        ("../../etc/passwd", "passwd_enhanced.png"),
        ("..\\..\\boot.ini", "_.._boot_enhanced.png"),
        ('a:b*c?d"e<f>g|h.jpg', "a_b_c_d_e_f_g_h_enhanced.png"),
        ("line\nbreak\0null.jpg", "line_break_null_enhanced.png"),
        ("caf\udce9.jpg", "caf__enhanced.png"),
        (".hidden.jpg", "hidden_enhanced.png"),
        ("", "_enhanced.png"),
    ],
)
def test_names_are_kept_as_far_as_they_are_safe(tmp_path: Path, name: str, written: str) -> None:
    path = write(Photo(COLOUR, name, "PNG"), tmp_path / "out")
    assert path == tmp_path / "out" / written
    assert path.is_file()


def test_a_stem_of_ones_own_is_taken(tmp_path: Path) -> None:
    path = write(Photo(COLOUR, "a.png", "PNG"), tmp_path / "out", stem="照片 (2)")
    assert path.name == "照片 (2).png"


@pytest.mark.parametrize("ending", KEPT_ENDINGS)
def test_a_cut_name_still_tells_which_file_of_the_photo_it_is(ending: str) -> None:
    assert safe_name("n" * 300 + ending, ".jpg").endswith(f"n{ending}.jpg")


@pytest.mark.parametrize("letter", ["a", "é", "海", "📷"])
def test_a_very_long_name_is_cut_to_what_a_disk_takes(tmp_path: Path, letter: str) -> None:
    path = write(Photo(COLOUR, letter * 300 + ".png", "PNG"), tmp_path / "out")
    length = len(path.name.encode())
    assert 255 - len(letter.encode()) < length <= 255
    assert path.name.startswith(letter * 50)
    assert path.name.endswith("_enhanced.png")
    assert path.is_file()


@given(st.text(st.characters(categories=None), max_size=300), st.sampled_from(READABLE_SUFFIXES))
def test_whatever_a_photo_is_called_its_result_has_a_name(stem: str, suffix: str) -> None:
    name = safe_name(stem, suffix)
    assert name.endswith(suffix)
    assert len(name) > len(suffix)
    assert len(name.encode()) <= 255
    assert not re.search(r'[\x00-\x1f\x7f/\\:*?"<>|]', name)
    assert not name.startswith((".", " "))
    assert Path(name).name == name


# Refusals


def assert_plain(error: Exception) -> None:
    """A sentence that a person understands, without a program's words."""
    sentence = str(error)
    assert re.fullmatch(r"[A-Z].*[.]", sentence)
    assert not re.search(r"Error|Exception|Traceback|errno|None|\b0x|[{}\[\]_]|/tmp|\.py", sentence)


def zipped() -> bytes:
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", "pixels")
    return file.getvalue()


def sound() -> bytes:
    import wave

    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(256)) * 8)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"Dear all,\nthis is no photo.", "a text"),
        ("Ça alors, 照片!".encode() * 100, "a text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a text"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
        (zipped(), "ZIP"),
        (zlib.compress(b"x" * 99, wbits=31), "archive"),
        (b"\x7fELF\x02\x01\x01" + bytes(60), "program"),
        (b"MZ\x90\0" + bytes(60), "program"),
        (b"ID3\x03" + bytes(60), "sound"),
        (sound(), "not read"),
        (bytes(range(256)), "not read"),
        (b"\0", "not read"),
    ],
    ids=["text", "long text", "SVG", "PDF", "ZIP", "gzip", "ELF", "EXE", "MP3", "WAV",
         "bytes", "zero"],
)  # fmt: skip
def test_what_is_no_photo_is_told_what_it_is(tmp_path: Path, content: bytes, word: str) -> None:
    with pytest.raises(NotAPhoto, match=word) as refused:
        read(tmp_path, content, "photo.jpg")
    assert refused.value.code == "not_a_photo"
    assert_plain(refused.value)
    with pytest.raises(NotAPhoto):
        probe(tmp_path / "photo.jpg", LIMITS)


@pytest.mark.parametrize("share", [0.03, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF", "HEIF"])
def test_a_photo_cut_short_is_damaged(tmp_path: Path, kind: str, share: float) -> None:
    whole = encoded(IMAGE, kind)
    with pytest.raises(PhotoDamaged) as refused:
        read(tmp_path, whole[: int(len(whole) * share)])
    assert refused.value.code == "photo_damaged"
    assert_plain(refused.value)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("name", SIXTEEN)
def test_sixteen_bits_cut_short_are_damaged(tmp_path: Path, name: str, share: float) -> None:
    whole = SIXTEEN[name]()
    with pytest.raises(PhotoDamaged):
        read(tmp_path, whole[: int(len(whole) * share)])


def test_an_avif_that_lost_its_picture_is_damaged(tmp_path: Path) -> None:
    whole = encoded(IMAGE, "AVIF")
    lost = whole.replace(b"pitm" + bytes(5) + b"\1", b"pitm" + bytes(5) + b"\7")
    assert lost != whole
    path = tmp_path / "photo.avif"
    path.write_bytes(lost)
    for look in (probe, read_photo):
        with pytest.raises(PhotoDamaged):
            look(path, LIMITS)
    assert result_suffix(path, OutputFormat.SAME) is None


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    for name, word in (("missing.jpg", "not there"), ("folder.jpg", "folder")):
        for look in (check_bytes, probe, read_photo):
            with pytest.raises(PhotoMissing, match=word) as refused:
                look(tmp_path / name, LIMITS)
            assert refused.value.code == "photo_missing"
            assert_plain(refused.value)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(PhotoEmpty) as refused:
        read(tmp_path, b"")
    assert refused.value.code == "photo_empty"
    assert_plain(refused.value)


def test_a_file_may_have_as_many_bytes_as_allowed_and_no_more(tmp_path: Path) -> None:
    content = encoded(IMAGE, "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    read_photo(path, replace(LIMITS, max_bytes=len(content)))
    with pytest.raises(FileTooLarge, match="MB") as refused:
        read_photo(path, replace(LIMITS, max_bytes=len(content) - 1))
    assert refused.value.code == "file_too_large"
    assert_plain(refused.value)


@pytest.mark.parametrize("kind", FAITHFUL)
def test_a_photo_may_have_as_many_pixels_as_allowed_and_no_more(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo"
    path.write_bytes(encoded(IMAGE, kind))
    read_photo(path, replace(LIMITS, max_pixels=WIDTH * HEIGHT))
    for look in (probe, read_photo):
        with pytest.raises(TooManyPixels, match=f"{WIDTH}x{HEIGHT}") as refused:
            look(path, replace(LIMITS, max_pixels=WIDTH * HEIGHT - 1))
        assert refused.value.code == "too_many_pixels"
        assert_plain(refused.value)


def test_the_limits_are_those_of_the_settings() -> None:
    limits = Limits.of(Settings(max_megapixels=2.5, max_megabytes=3))
    assert (limits.max_bytes, limits.max_pixels) == (3_000_000, 2_500_000)


def bomb(kind: str, side: int) -> bytes:
    """A small file whose header claims ``side`` by ``side`` pixels."""
    rows = bytes(100_000)
    match kind:
        case "PNG":
            return png_of(side, side, 8, 2, rows)
        case "PNG 16":
            return png_of(side, side, 16, 2, rows)
        case "GIF":
            whole = encoded(Image.new("L", (8, 8)), "GIF")
            return whole[:6] + struct.pack("<HH", side, side) + whole[10:]
        case "BMP":
            whole = encoded(Image.new("RGB", (8, 8)), "BMP")
            return whole[:18] + struct.pack("<ll", side, side) + whole[26:]
        case "JPEG":
            whole = encoded(Image.new("RGB", (8, 8)), "JPEG")
            at = whole.index(b"\xff\xc0") + 5
            return whole[:at] + struct.pack(">HH", side, side) + whole[at + 4 :]
        case _:
            whole = tiff_of(np.zeros((8, 8, 3), np.uint8), photometric="rgb")
            for tag in (256, 257):
                entry, claimed = (struct.pack("<HHLL", tag, 4, 1, n) for n in (8, side))
                assert entry in whole
                whole = whole.replace(entry, claimed)
            return whole


@pytest.mark.parametrize("kind", ["PNG", "PNG 16", "GIF", "BMP", "JPEG", "TIFF"])
def test_a_bomb_is_refused_by_its_header_before_anything_is_decoded(
    tmp_path: Path, kind: str
) -> None:
    started, memory = time.monotonic(), peak_bytes()
    with pytest.raises(TooManyPixels, match="50000x50000"):
        read(tmp_path, bomb(kind, 50_000))
    assert time.monotonic() - started < 1
    assert peak_bytes() - memory < 100e6


def test_a_part_that_claims_to_be_huge_takes_no_memory(tmp_path: Path) -> None:
    whole = png_16(COLOUR_16[:8, :8])  # so small that Pillow is at its end before it looks
    at = whole.index(b"IDAT") - 4
    memory = peak_bytes()
    with pytest.raises(PhotoDamaged):
        read(tmp_path, whole[:at] + b"\x7f" + whole[at + 1 :])
    assert peak_bytes() - memory < 500e6


def peak_bytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# Damage of every kind


@cache
def whole_files() -> dict[str, bytes]:
    """A small valid file of each format, with everything that a file can carry."""
    small = IMAGE.resize((16, 12))
    palette = small.quantize(16)
    files = {kind: telling(kind) for kind in CARRIERS}
    return files | {
        "BMP": encoded(small, "BMP"),
        "GIF": encoded(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
        "palette": encoded(palette, "PNG", transparency=0),
        "inks": encoded(small.convert("CMYK"), "JPEG"),
        "transparent WebP": encoded(small.convert("RGBA"), "WEBP"),
        "transparent AVIF": encoded(small.convert("RGBA"), "AVIF"),
        "packed TIFF": encoded(small, "TIFF", compression="tiff_lzw", dpi=(72, 72)),
        **{f"sixteen {name}": make() for name, make in SIXTEEN.items()},
    }


def with_sums_mended(content: bytes) -> bytes:
    """A PNG whose checksums are right again, so that damage gets past them."""
    parts, at = [content[:8]], 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">L", content, at)
        parts.append(chunk(content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return b"".join(parts)


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    whole = whole_files()[draw(st.sampled_from(sorted(whole_files())))]
    content = bytearray(whole)
    if draw(st.booleans()):
        reach = draw(st.sampled_from([40, 400, len(whole)]))  # headers are where it hurts
        where = st.integers(0, min(reach, len(whole)) - 1)
        for at in draw(st.lists(where, max_size=6)):
            content[at] = draw(st.integers(0, 255) | st.sampled_from([0, 1, 127, 128, 255]))
    if draw(st.booleans()):
        del content[draw(st.integers(0, len(content) - 1)) :]
    if draw(st.booleans()) and content.startswith(b"\x89PNG"):
        return with_sums_mended(bytes(content))
    return bytes(content)


MAGIC = [b"", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*",
         b"RIFF\0\0\0\0WEBPVP8 ", b"\0\0\0\x20ftypavif", b"\0\0\0\x20ftypheic"]  # fmt: skip
random_files = st.builds(bytes.__add__, st.sampled_from(MAGIC), st.binary(max_size=300))

TIGHT = Limits(max_bytes=100_000, max_pixels=10_000)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.mark.filterwarnings("ignore")  # Pillow's own about damaged tags
@unhurried(max_examples=400)
@given(content=damaged_files() | random_files)
def test_whatever_the_bytes_a_photo_is_read_or_refused(scratch: Path, content: bytes) -> None:
    path = scratch / "photo"
    path.write_bytes(content)
    try:
        photo = read_photo(path, TIGHT)
    except PhotoRefused as refused:
        assert_plain(refused)
        return
    assert photo.pixels.shape == (photo.size.height, photo.size.width, 3)
    assert photo.alpha is None or photo.alpha.shape == photo.pixels.shape[:2]
    assert result_suffix(path, OutputFormat.SAME) is not None
    preview(photo, scratch / "shown", 16, "photo")
    try:
        result = write(photo, scratch / "out", provenance=NOTE)
    except OutputNotWritable as refused:  # some encoders want a side of more than one pixel
        assert_plain(refused)
        return
    assert read_photo(result, TIGHT).size == photo.size


@pytest.mark.parametrize("name", sorted(whole_files()))
def test_the_files_that_are_damaged_are_good_before(tmp_path: Path, name: str) -> None:
    read(tmp_path, whole_files()[name])


# Looking


def test_a_result_equal_to_its_source_is_as_faithful_as_can_be() -> None:
    photo = Photo(COLOUR, "a.png", "PNG")
    twice = photo.with_pixels(np.repeat(np.repeat(COLOUR, 2, 0), 2, 1), None)
    assert faithfulness_db(photo, photo) == 99
    assert faithfulness_db(photo, twice) == 99


def test_one_level_of_difference_is_forty_eight_decibels() -> None:
    gray = Photo(np.full((8, 8, 3), 100, np.uint8), "a.png", "PNG")
    other = gray.with_pixels(gray.pixels + 1, None)
    assert faithfulness_db(gray, other) == pytest.approx(20 * np.log10(255), abs=1e-6)


def test_the_noisier_the_result_the_less_faithful() -> None:
    photo = Photo(COLOUR, "a.png", "PNG")
    noise = np.random.default_rng(1).normal(size=COLOUR.shape)
    measured = [
        faithfulness_db(
            photo,
            photo.with_pixels(np.clip(COLOUR + strength * noise, 0, 255).astype(np.uint8), None),
        )
        for strength in (1, 4, 16, 64)
    ]
    assert measured == sorted(measured, reverse=True)
    assert measured[0] > measured[-1] + 20


def test_eight_and_sixteen_bits_are_measured_alike() -> None:
    noisy = np.clip(COLOUR.astype(int) + np.arange(WIDTH)[None, :, None] % 7, 0, 255)
    deep = [pixels.astype(np.uint16) * 257 for pixels in (COLOUR, noisy)]
    shallow = [pixels.astype(np.uint8) for pixels in (COLOUR, noisy)]
    in_8, in_16 = (
        faithfulness_db(Photo(source, "a", "PNG"), Photo(result, "a", "PNG"))
        for source, result in (shallow, deep)
    )
    assert in_8 == pytest.approx(in_16, abs=1e-6)


def test_a_shift_of_the_result_costs_faithfulness() -> None:
    photo = Photo(COLOUR, "a.png", "PNG")
    twice = np.repeat(np.repeat(COLOUR, 2, 0), 2, 1)
    shifted = photo.with_pixels(np.roll(twice, 2, axis=1), None)
    assert faithfulness_db(photo, shifted) < 35


@pytest.mark.parametrize("name", INPUTS)
def test_every_source_can_be_shown_by_a_browser(tmp_path: Path, name: str) -> None:
    photo = read(tmp_path, INPUTS[name]())
    path = preview(photo, tmp_path / "shown" / "deeper", 20, "été")
    with Image.open(path) as shown:
        assert max(shown.size) == 20
        assert shown.size == (20, round(20 * HEIGHT / WIDTH))
        assert shown.mode == ("RGB" if photo.alpha is None else "RGBA")
        assert shown.format == ("JPEG" if photo.alpha is None else "PNG")
        assert path.name == ("été.jpg" if photo.alpha is None else "été.png")
        if photo.alpha is None:
            near = Image.fromarray(photo.pixels).resize(shown.size, Image.Resampling.BOX)
            assert difference(np.array(shown), np.array(near)) < 8
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("size", [(5, 3), (4000, 1), (1, 4000)])
def test_a_preview_is_never_larger_than_asked_nor_than_the_photo(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    photo = Photo(np.zeros((size[1], size[0], 3), np.uint8), "a.png", "PNG")
    with Image.open(preview(photo, tmp_path, 64, "a")) as shown:
        assert max(shown.size) == min(64, max(size))
        assert min(shown.size) >= 1


@pytest.mark.parametrize("depth", [8, 16])
def test_a_preview_is_in_srgb(tmp_path: Path, depth: int) -> None:
    factor, kind = (1, np.uint8) if depth == 8 else (257, np.uint16)
    red = np.full((16, 16, 3), (255, 0, 0)).astype(kind) * kind(factor)
    gray = np.full((16, 16, 3), 128).astype(kind) * kind(factor)
    for pixels, alpha, profile, colour in (
        (red, None, swapped_profile(), (0, 0, 255)),
        (red, gray[..., 0], swapped_profile(), (0, 0, 255)),
        (red, None, linear_gray_profile(), (255, 0, 0)),
        (red, None, b"no profile", (255, 0, 0)),
        (gray, None, linear_gray_profile(), (188, 188, 188)),
        (gray, gray[..., 0], linear_gray_profile(), (188, 188, 188)),
    ):
        photo = Photo(
            pixels, "a.png", "PNG", alpha, is_monochrome(pixels), pixels is gray,
            Metadata(icc_profile=profile),
        )  # fmt: skip
        with Image.open(preview(photo, tmp_path, 16, "a")) as shown:
            assert np.abs(np.array(shown)[..., :3].astype(int) - colour).max() <= 3
            if alpha is not None:
                assert (np.array(shown)[..., 3] == 128).all()
            assert not shown.getexif()


def test_a_preview_tells_nothing_of_anybody(tmp_path: Path) -> None:
    photo = read(tmp_path, telling("JPEG"))
    content = preview(photo, tmp_path / "shown", 64, "a").read_bytes()
    assert b"Maker" not in content
    assert b"the sea" not in content


@pytest.mark.parametrize(("kind", "tolerated"), [(np.uint8, 1), (np.uint16, 257)])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_jpegs_rounding_is_no_colour_and_more_is(
    kind: type, tolerated: int, channel: int
) -> None:
    gray = np.dstack([GRAY // 2] * 3).astype(kind) * kind(tolerated)
    assert is_monochrome(gray)
    one_off = gray.copy()
    one_off[5, 7, channel] += tolerated
    assert is_monochrome(one_off)
    one_off[5, 7, channel] += 1
    assert not is_monochrome(one_off)
