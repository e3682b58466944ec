"""What a file tells beside its pixels is carried into the result, or not."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import ExifTags, Image

from photoenhance_ui.images.codec import (
    Provenance,
    read_photo,
)
from photoenhance_ui.photo import Metadata, Photo
from testing.profiles import swapped_profile
from tests.images.samples import (
    ARTIST,
    CARRIERS,
    COLOUR_16,
    HEIGHT,
    LIMITS,
    NOTE,
    WIDTH,
    XMP,
    encoded,
    read,
    rewritten,
    telling,
    telling_exif,
    write,
)


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
