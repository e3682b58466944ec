"""Results: whole or not there, under a name and a suffix that tell the truth."""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photoenhance_ui.errors import (
    OutputNotWritable,
)
from photoenhance_ui.geometry import Size
from photoenhance_ui.images.codec import (
    preview,
    read_photo,
    result_suffix,
)
from photoenhance_ui.images.formats import READABLE_SUFFIXES
from photoenhance_ui.names import KEPT_ENDINGS, safe_name
from photoenhance_ui.photo import Metadata, Photo
from photoenhance_ui.request import OutputFormat
from testing.photos import skimage_photo
from tests.images.samples import (
    COLOUR,
    HEIGHT,
    IMAGE,
    INPUTS,
    KIND_BY_SUFFIX,
    LIMITS,
    WIDTH,
    assert_plain,
    difference,
    encoded,
    read,
    rewritten,
    write,
)


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
