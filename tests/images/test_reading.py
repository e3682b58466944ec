"""Every format is read, by its bytes, upright."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from photoenhance_ui.errors import (
    PhotoDamaged,
)
from photoenhance_ui.geometry import Size
from photoenhance_ui.images.codec import (
    probe,
    read_photo,
    result_suffix,
    upright,
)
from photoenhance_ui.images.formats import READABLE_SUFFIXES
from photoenhance_ui.request import OutputFormat
from tests.images.samples import (
    CARRIERS,
    COLOUR,
    COLOUR_16,
    FAITHFUL,
    GRAY,
    IMAGE,
    LIMITS,
    OPACITY,
    RGBA,
    difference,
    encoded,
    read,
    suffix_of,
    tiff_of,
    write,
)


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
