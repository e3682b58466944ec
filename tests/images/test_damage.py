"""Whatever the bytes, a photo is read or refused."""

import struct
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.errors import (
    OutputNotWritable,
    PhotoRefused,
)
from photoenhance_ui.images.codec import (
    Limits,
    preview,
    read_photo,
    result_suffix,
)
from photoenhance_ui.request import OutputFormat
from tests.images.samples import (
    CARRIERS,
    IMAGE,
    NOTE,
    SIXTEEN,
    assert_plain,
    chunk,
    encoded,
    read,
    telling,
    unhurried,
    write,
)


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
