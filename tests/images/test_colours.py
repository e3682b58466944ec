"""Transparency, depth, gray and colour spaces, read and written."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from photoenhance_ui.errors import (
    NotAPhoto,
)
from photoenhance_ui.images.codec import (
    is_monochrome,
    read_photo,
)
from photoenhance_ui.images.metadata import profile_space, srgb_profile
from photoenhance_ui.photo import Photo
from photoenhance_ui.request import OutputFormat
from testing.profiles import linear_gray_profile, swapped_profile
from tests.images.samples import (
    CARRIERS,
    COLOUR,
    COLOUR_16,
    FAITHFUL,
    GRAY,
    GRAY_16,
    HEIGHT,
    IMAGE,
    LIMITS,
    OPACITY,
    OPACITY_16,
    RGBA,
    SIXTEEN,
    WIDTH,
    assert_plain,
    difference,
    encoded,
    png_of,
    read,
    rewritten,
    tiff_of,
    write,
)

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
    monkeypatch.setattr(
        "photoenhance_ui.images.encoders.MAX_OPTIMIZED_JPEG_PIXELS", photo.size.pixels - 1
    )
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
