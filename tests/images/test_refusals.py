"""What is refused, before it is read, and in which words."""

import io
import resource
import struct
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photoenhance_ui.errors import (
    FileTooLarge,
    NotAPhoto,
    PhotoDamaged,
    PhotoEmpty,
    PhotoMissing,
    TooManyPixels,
)
from photoenhance_ui.images.codec import (
    Limits,
    check_bytes,
    probe,
    read_photo,
    result_suffix,
)
from photoenhance_ui.request import OutputFormat
from photoenhance_ui.settings import Settings
from tests.images.samples import (
    COLOUR_16,
    FAITHFUL,
    HEIGHT,
    IMAGE,
    LIMITS,
    SIXTEEN,
    WIDTH,
    assert_plain,
    encoded,
    png_16,
    png_of,
    read,
    tiff_of,
)


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
