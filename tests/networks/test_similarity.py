"""How alike two forms of a network are: in dB, on the same pictures each time."""

import numpy as np
import pytest
from numpy.typing import NDArray

from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.networks.calibration_pictures import CROP_PX, crops, faces
from photoenhance_ui.networks.similarity import (
    MIN_BLENDED_DB,
    MIN_MEAN_DB,
    MIN_WORST_DB,
    blends,
    is_near,
    parser_psnr_db,
    psnrs_db,
    restorer_psnr_db,
    upscaler_psnr_db,
)
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import FACE_PX


class Twice:
    """Enlarges by repeating pixels, and is off by ``levels`` on every second column."""

    name, scale, operations_per_pixel, receptive_px, is_blended = "twice", 2, 1.0, 0, True

    def __init__(self, levels: int = 0) -> None:
        self._levels = levels

    def __call__(self, images: Pixels, denoise: float) -> Pixels:
        large = images.repeat(2, axis=1).repeat(2, axis=2).astype(np.int64)
        large[:, :, ::2] += np.where(large[:, :, ::2] > 128, -self._levels, self._levels)
        return large.astype(np.uint8)


class Fails:
    name, scale, operations_per_pixel, receptive_px, is_blended = "fails", 2, 1.0, 0, False

    def __call__(self, images: Pixels, denoise: float = 0.0) -> Pixels:
        raise NetworkFailed("No picture.")


class Restorer:
    name = "restorer"

    def __init__(self, levels: int = 0) -> None:
        self._levels = levels

    def __call__(self, faces: Pixels) -> Pixels:
        return faces ^ np.uint8(self._levels)


class Parser:
    """Sees a face in the upper rows."""

    name = "parser"

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __call__(self, faces: Pixels) -> NDArray[np.uint8]:
        mask = np.zeros(faces.shape[:3], np.uint8)
        mask[:, : self._rows] = 255
        return mask


@pytest.mark.parametrize(
    ("mean_db", "worst_db", "passed"),
    [
        (MIN_MEAN_DB, MIN_WORST_DB, True),
        (MIN_MEAN_DB - 0.1, 60, False),
        (60, MIN_WORST_DB - 0.1, False),
    ],
)
def test_the_gate_is_at_its_limits(mean_db: float, worst_db: float, passed: bool) -> None:
    assert is_near(mean_db, worst_db) is passed


def test_an_upscaler_is_as_like_itself_as_can_be() -> None:
    assert upscaler_psnr_db(Twice(), Twice(), 0.0, crops(2, 1)) == (99.0, 99.0)


def test_likeness_is_that_of_the_root_of_mean_squares() -> None:
    mean_db, worst_db = upscaler_psnr_db(Twice(), Twice(10), 0.0, crops(3, 1))
    # Half of all values are off by 10 levels, on every picture.
    assert mean_db == pytest.approx(10 * np.log10(255**2 / 50))
    assert worst_db == pytest.approx(mean_db)


def test_the_worst_picture_is_told_beside_the_mean() -> None:
    class OffInTheDark(Twice):
        def __call__(self, images: Pixels, denoise: float) -> Pixels:
            return Twice(20 if images.mean() < 128 else 0)(images, denoise)

    dark, bright = (np.full((4, 4, 3), level, np.uint8) for level in (50, 200))
    mean_db, worst_db = upscaler_psnr_db(Twice(), OffInTheDark(), 0.0, [bright, dark])
    assert worst_db == pytest.approx(10 * np.log10(255**2 / 200))
    assert mean_db == pytest.approx((99 + worst_db) / 2)


def test_a_form_that_gives_no_picture_is_like_nothing_and_fails_nothing() -> None:
    assert upscaler_psnr_db(Twice(), Fails(), 0.0, crops(1, 2)) == (0, 0)
    assert restorer_psnr_db(Restorer(), Fails()) == (0, 0)


def test_crops_are_the_same_by_seed_and_differ_by_it() -> None:
    first, again, other = crops(5, 1), crops(5, 1), crops(5, 2)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not any(np.array_equal(one, two) for one, two in zip(first, other, strict=True))
    assert {crop.shape for crop in first} == {(CROP_PX, CROP_PX, 3)}


@pytest.mark.parametrize("side", [16, 200])
def test_crops_have_the_size_that_is_asked_for(side: int) -> None:
    pictures = crops(9, 1, side)
    assert {(crop.shape, crop.dtype) for crop in pictures} == {((side, side, 3), np.dtype("u1"))}
    assert all(np.ptp(crop) > 20 for crop in pictures), "one shows nothing"


def test_faces_are_aligned_ones_in_several_states() -> None:
    pictures = faces()
    assert {(face.shape, face.dtype) for face in pictures} == {
        ((FACE_PX, FACE_PX, 3), np.dtype("u1"))
    }
    apart = [db for one in range(4) for db in psnrs_db(pictures[:one], [pictures[one]] * one)]
    assert max(apart) < 45, "two are one and the same"


def test_restorers_are_compared_by_the_faces_they_give() -> None:
    assert restorer_psnr_db(Restorer(), Restorer()) == (99.0, 99.0)
    mean_db, worst_db = restorer_psnr_db(Restorer(), Restorer(4))
    assert mean_db == pytest.approx(10 * np.log10(255**2 / 16))
    assert worst_db == pytest.approx(mean_db)


def test_parsers_are_compared_by_what_is_seen_of_their_masks() -> None:
    assert parser_psnr_db(Parser(256), Parser(256)) == 99.0
    near, far = (parser_psnr_db(Parser(256), Parser(256 + rows)) for rows in (1, 128))
    assert 99 > near > MIN_BLENDED_DB > far


def test_a_mask_shows_another_picture_where_it_sees_a_face() -> None:
    for blended, face in zip(blends(Parser(256)), faces(), strict=True):
        assert np.array_equal(blended[100, 100:-100], face[100, 100:-100][::-1])
        assert np.array_equal(blended[-100:], face[-100:])
