"""How near a result is to its source: the number, and the map of differences."""

import numpy as np
import pytest
from numpy.typing import NDArray

from photoenhance_ui.images.difference import MAX_SIDE_PX, difference_map, faithfulness_db
from photoenhance_ui.photo import Photo
from testing.photos import skimage_photo
from tests.images.samples import COLOUR, WIDTH

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


# The number


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
