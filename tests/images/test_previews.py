"""Pictures that a browser shows."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photoenhance_ui.images.codec import (
    is_monochrome,
    preview,
)
from photoenhance_ui.photo import Metadata, Photo
from testing.profiles import linear_gray_profile, swapped_profile
from tests.images.samples import (
    HEIGHT,
    INPUTS,
    WIDTH,
    difference,
    read,
    telling,
)


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
