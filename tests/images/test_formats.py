"""Each fact of the table, held to files that are really written."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photoenhance_ui.errors import OutputNotWritable
from photoenhance_ui.geometry import Size
from photoenhance_ui.images.codec import Limits, read_photo, write_photo
from photoenhance_ui.images.encoders import encoded
from photoenhance_ui.images.formats import (
    BY_NAME,
    FORMATS,
    FULL,
    READABLE_SUFFIXES,
    FileFormat,
    format_of,
    is_lossless,
    is_shown_by_browsers,
)
from photoenhance_ui.photo import Metadata, Photo
from photoenhance_ui.request import OutputFormat, Saving
from testing.photos import skimage_photo

LIMITS = Limits(max_bytes=10_000_000, max_pixels=1_000_000)
COLOUR = skimage_photo("chelsea", 40)
OPACITY = np.tile(np.arange(40, dtype=np.uint8) * 6, (40, 1))
WRITTEN = [known for known in FORMATS if known.suffix is not None]

every_format = pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
every_written = pytest.mark.parametrize("known", WRITTEN, ids=lambda known: known.name)


def rewritten(photo: Photo, folder: Path) -> Photo:
    return read_photo(write_photo(photo, folder, Saving(), provenance=None), LIMITS)


@every_format
def test_a_format_is_known_by_each_of_its_suffixes(known: FileFormat) -> None:
    assert BY_NAME[known.name] is known
    for suffix in (*known.read_suffixes, *([known.suffix] if known.suffix else [])):
        assert format_of(Path(f"a{suffix.upper()}")) is known
        assert suffix in READABLE_SUFFIXES


def test_no_suffix_is_that_of_two_formats() -> None:
    assert len(set(READABLE_SUFFIXES)) == len(READABLE_SUFFIXES)
    assert format_of(Path("a.txt")) is None
    assert not is_lossless(Path("a.txt"))
    assert not is_shown_by_browsers(Path("a.txt"))


@pytest.mark.parametrize("wanted", [wanted for wanted in OutputFormat if wanted != "same"])
def test_every_output_format_is_one_that_is_written(wanted: OutputFormat) -> None:
    assert BY_NAME[wanted.value.upper()] in WRITTEN


@every_written
def test_a_photo_keeps_the_format_that_it_came_in(tmp_path: Path, known: FileFormat) -> None:
    path = write_photo(Photo(COLOUR, "a", known.name), tmp_path, Saving(), provenance=None)
    assert path.suffix == known.suffix
    assert read_photo(path, LIMITS).file_format == known.name


def test_what_is_not_written_becomes_what_holds_everything() -> None:
    assert FULL.is_lossless
    assert FULL.has_alpha
    assert FULL.has_gray
    assert FULL.has_16_bits
    assert FULL.suffix is not None


@every_written
def test_lossless_means_every_pixel_and_what_is_transparent(
    tmp_path: Path, known: FileFormat
) -> None:
    written = rewritten(Photo(COLOUR, "a", known.name, OPACITY), tmp_path)
    is_kept = written.alpha is not None and np.array_equal(written.alpha, OPACITY)
    assert (np.array_equal(written.pixels, COLOUR) and is_kept) == known.is_lossless
    assert is_lossless(Path(f"a{known.suffix}")) == known.is_lossless


@every_written
def test_alpha(tmp_path: Path, known: FileFormat) -> None:
    written = rewritten(Photo(COLOUR, "a", known.name, OPACITY), tmp_path)
    assert (written.alpha is not None) == known.has_alpha


@every_written
def test_gray(known: FileFormat) -> None:
    gray = np.repeat(COLOUR[..., :1], 3, axis=2)
    photo = Photo(gray, "a", known.name, monochrome=True, one_channel=True)
    with Image.open(io.BytesIO(encoded(photo, Metadata(), known, 90))) as image:
        assert (image.mode == "L") == known.has_gray


@every_written
def test_sixteen_bits(tmp_path: Path, known: FileFormat) -> None:
    deep = Photo(COLOUR.astype(np.uint16) * 257, "a", known.name)
    assert (rewritten(deep, tmp_path).depth_bits == 16) == known.has_16_bits


@every_written
def test_resolution(tmp_path: Path, known: FileFormat) -> None:
    photo = Photo(COLOUR, "a", known.name, metadata=Metadata(dpi=(72.0, 72.0)))
    assert (rewritten(photo, tmp_path).metadata.dpi is not None) == known.has_dpi


@every_written
def test_quality(known: FileFormat) -> None:
    photo = Photo(COLOUR, "a", known.name)
    low, high = (encoded(photo, Metadata(), known, quality) for quality in (10, 95))
    assert (low != high) == known.uses_quality


@every_written
def test_the_longest_side(known: FileFormat) -> None:
    if known.max_side_px > 100_000:
        return
    row = Photo(np.zeros((1, known.max_side_px + 1, 3), np.uint8), "a", known.name)
    with pytest.raises(OutputNotWritable, match=f"{known.label} holds at most"):
        encoded(row, Metadata(), known, 90)
    assert row.size == Size(known.max_side_px + 1, 1)
