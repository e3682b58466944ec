"""The map of differences: gray where a result is faithful, coloured by how far it is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from photoenhance_ui.difference import MAX_SIDE_PX, difference_map
from tests.conftest import skimage_photo

PHOTO = skimage_photo("chelsea", 120)


def colour(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How far each pixel is from gray."""
    return picture.max(axis=2).astype(int) - picture.min(axis=2)


def changed(by: tuple[int, int, int], source: NDArray[np.uint8] = PHOTO) -> NDArray[np.uint8]:
    result = source.astype(int)
    result[40:80, 40:80] += by
    return np.clip(result, 0, 255).astype(np.uint8)


def test_a_faithful_result_is_gray() -> None:
    twice = PHOTO.repeat(2, axis=0).repeat(2, axis=1)
    for result in (PHOTO, twice):
        picture = difference_map(PHOTO, result)
        assert picture.shape == PHOTO.shape
        assert colour(picture).max() == 0


def test_what_no_eye_sees_is_gray() -> None:
    assert colour(difference_map(PHOTO, changed((1, 1, 1)))).max() == 0


@pytest.mark.parametrize("by", [(60, 60, 60), (40, -20, 0), (0, 0, 90)])
def test_it_is_coloured_where_brightness_or_colour_changed(by: tuple[int, int, int]) -> None:
    shown = colour(difference_map(PHOTO, changed(by)))
    assert shown[45:75, 45:75].min() > 20
    assert shown[:34].max() == shown[:, 90:].max() == 0


def test_further_is_brighter() -> None:
    gray = np.full((120, 120, 3), 110, np.uint8)
    near, far = (difference_map(gray, changed((by, by, by), gray))[60, 60].sum() for by in (25, 80))
    assert far > near


def test_sixteen_bits_give_the_same_picture() -> None:
    result = changed((60, 60, 60))
    deep = difference_map(PHOTO.astype(np.uint16) * 257, result.astype(np.uint16) * 257)
    np.testing.assert_allclose(deep.astype(int), difference_map(PHOTO, result), atol=2)


def test_it_is_at_most_as_large_as_a_screen() -> None:
    long = np.zeros((10, 5000, 3), np.uint8)
    assert difference_map(long, long.repeat(2, axis=0)).shape == (4, MAX_SIDE_PX, 3)
