"""Degradations: right shape and range, the same by seed, and really doing what they say."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.quality import luma
from testing.photos import skimage_photo
from training.config import Degradation
from training.degrade import Picture, degrade

NOTHING = Degradation(
    clean=0, ordinary=0, blur=0, halo=0, noise=0, compress=0, second_pass=0, area_downscale=1
)
ALWAYS = replace(NOTHING, blur=1, halo=1, noise=1, compress=1, second_pass=1)


@pytest.fixture(scope="module")
def sharp() -> Picture:
    return skimage_photo("coffee", 160)


def averaged(picture: Picture, scale: int = 4) -> Picture:
    height, width = picture.shape[0] // scale, picture.shape[1] // scale
    blocks = picture.reshape(height, scale, width, scale, 3).astype(np.float64)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))), np.uint8)


def difference(a: Picture, b: Picture) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize("seed", range(30))
def test_the_result_is_a_small_picture(sharp: Picture, seed: int) -> None:
    small = degrade(sharp, 4, ALWAYS, np.random.default_rng(seed))
    assert small.shape == (40, 40, 3)
    assert small.dtype == np.uint8
    # However bad, it is still this photo.
    assert np.corrcoef(small.ravel(), averaged(sharp).ravel())[0, 1] > 0.8


def test_the_same_seed_gives_the_same_picture(sharp: Picture) -> None:
    first, again, other = (
        degrade(sharp, 4, ALWAYS, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("how", [replace(ALWAYS, clean=1, area_downscale=1), NOTHING])
def test_none_is_just_the_downscale(sharp: Picture, how: Degradation) -> None:
    small = degrade(sharp, 4, how, np.random.default_rng(3))
    # A half may be rounded either way.
    assert np.abs(small.astype(int) - averaged(sharp)).max() <= 1
    assert difference(small, averaged(sharp)) < 0.1


ORDINARY = replace(
    ALWAYS,
    ordinary=1,
    ordinary_blur_sigma_px=(0, 0),
    ordinary_noise_sigma=(0, 0),
    ordinary_quality=(95, 95),
)


def test_ordinary_wear_is_nothing_else(sharp: Picture) -> None:
    # Everything else is certain in ALWAYS, and is felt.
    barely, worn = (degrade(sharp, 4, how, np.random.default_rng(0)) for how in (ORDINARY, ALWAYS))
    assert difference(barely, averaged(sharp)) < 4 < 6 < difference(worn, averaged(sharp))


@pytest.mark.parametrize(
    "worse",
    [
        replace(ORDINARY, ordinary_blur_sigma_px=(2, 2)),
        replace(ORDINARY, ordinary_noise_sigma=(8, 8)),
        replace(ORDINARY, ordinary_quality=(45, 45)),
    ],
    ids=["blur", "noise", "compression"],
)
def test_each_kind_of_ordinary_wear_is_felt(sharp: Picture, worse: Degradation) -> None:
    barely, worn = (degrade(sharp, 4, how, np.random.default_rng(0)) for how in (ORDINARY, worse))
    expected = difference(barely, averaged(sharp))
    assert difference(worn, averaged(sharp)) > 1.3 * expected
    assert worn.shape == barely.shape


def test_other_kernels_stay_in_place_too(sharp: Picture) -> None:
    how = replace(NOTHING, area_downscale=0)
    for seed in range(12):
        small = degrade(sharp, 4, how, np.random.default_rng(seed))
        moved, _ = cv2.phaseCorrelate(
            cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float64),
            cv2.cvtColor(averaged(sharp), cv2.COLOR_RGB2GRAY).astype(np.float64),
        )
        assert math.hypot(*moved) < 0.1  # pixels; a shift would teach the network to shift


@pytest.mark.parametrize("kind", ["isotropic", "anisotropic", "motion", "defocus"])
def test_every_blur_softens_and_keeps_the_light(sharp: Picture, kind: str) -> None:
    how = replace(NOTHING, blur=1, blur_kinds=((kind, 1.0),), blur_sigma_px=(2.0, 2.8))
    picture = sharp.astype(np.float32)
    soft = degrade(sharp, 1, how, np.random.default_rng(0)).astype(np.float32)
    assert soft.mean() == pytest.approx(picture.mean(), abs=0.5)
    detail = cv2.Laplacian(picture, cv2.CV_32F).std()
    assert cv2.Laplacian(soft, cv2.CV_32F).std() < 0.7 * detail


def test_noise_has_the_strength_asked_for() -> None:
    how = replace(NOTHING, noise=1, noise_sigma=(6.0, 6.0), gray_noise=0, poisson_noise=0)
    gray = np.full((512, 512, 3), 128, np.uint8)
    small = degrade(gray, 4, how, np.random.default_rng(0)).astype(float)
    assert small.std() == pytest.approx(6, rel=0.05)
    assert small.mean() == pytest.approx(128, abs=0.2)


def test_gray_noise_is_gray_and_poisson_noise_grows_with_the_light() -> None:
    how = replace(NOTHING, noise=1, noise_sigma=(6.0, 6.0), gray_noise=1, poisson_noise=1)
    halves = np.full((512, 512, 3), 30, np.uint8)
    halves[:, 256:] = 200
    small = degrade(halves, 4, how, np.random.default_rng(0)).astype(float)
    assert np.ptp(small, axis=2).max() == 0
    assert small[:, 66:].std() > 1.5 * small[:, :62].std()


def test_blotchy_noise_is_as_strong_and_wider() -> None:
    fine = replace(NOTHING, noise=1, noise_sigma=(6.0, 6.0), blotchy_noise=0, poisson_noise=0)
    blotchy = replace(fine, blotchy_noise=1, blotch_sigma_px=(1.0, 1.0))
    gray = np.full((512, 512, 3), 128, np.uint8)
    correlations = []
    for how in (fine, blotchy):
        small = degrade(gray, 4, how, np.random.default_rng(0)).astype(float)
        assert small.std() == pytest.approx(6, rel=0.05)
        neighbours = np.stack([small[:, :-1].ravel(), small[:, 1:].ravel()])
        correlations.append(np.corrcoef(neighbours)[0, 1])
    assert abs(correlations[0]) < 0.05
    assert correlations[1] > 0.6


@pytest.mark.parametrize("webp", [0.0, 1.0])
def test_a_lower_quality_costs_more(sharp: Picture, webp: float) -> None:
    losses = []
    for quality in (95, 60, 35):
        how = replace(NOTHING, compress=1, webp=webp, quality=(quality, quality))
        small = degrade(sharp, 4, how, np.random.default_rng(0))
        losses.append(difference(small, averaged(sharp)))
    assert 0 < losses[0] < losses[1] < losses[2] < 15


def test_halos_overshoot_at_an_edge() -> None:
    edge = np.full((160, 160, 3), 80, np.uint8)
    edge[:, 80:] = 160
    small = degrade(edge, 4, replace(NOTHING, halo=1), np.random.default_rng(0))
    assert small.min() < 75
    assert small.max() > 165


def test_a_second_pass_is_worse_than_one(sharp: Picture) -> None:
    once = replace(NOTHING, noise=1, compress=1)
    twice = replace(once, second_pass=1)

    def loss(how: Degradation) -> float:
        small = [degrade(sharp, 4, how, np.random.default_rng(seed)) for seed in range(8)]
        return float(np.mean([difference(each, averaged(sharp)) for each in small]))

    assert loss(twice) > loss(once)


def test_gray_photos_stay_gray_without_coloured_noise() -> None:
    camera = np.repeat(skimage_photo("camera")[:160, :160, None], 3, axis=2)
    how = replace(ALWAYS, gray_noise=1)
    for seed in range(5):
        small = degrade(np.ascontiguousarray(camera), 4, how, np.random.default_rng(seed))
        assert np.ptp(small.astype(int), axis=2).max() <= 4
        assert luma(small).std() > 5
