"""Photos of the recipe: none that is measured on, split by file, batches that can be repeated."""

import dataclasses
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.quality import write
from testing.photos import skimage_photo
from training.builtin import main
from training.config import Config
from training.degrade import Picture
from training.photos import (
    OverlapError,
    TrainingPhoto,
    batches_from,
    difference_hash,
    make_batch,
    read_photos,
    refuse_overlap,
    split,
)

DATA = Path(__file__).parents[3] / "shared" / "data"
CONFIG = dataclasses.replace(Config(), patch_px=12, batch=3)


def photo(name: str) -> TrainingPhoto:
    return TrainingPhoto(f"{name}.png", skimage_photo(name))


@pytest.fixture(scope="module")
def photos() -> list[TrainingPhoto]:
    return [photo(name) for name in ("chelsea", "coffee", "rocket", "astronaut")]


def jpeg(pixels: Picture) -> Picture:
    encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


@pytest.mark.parametrize(
    "changed",
    [
        lambda pixels: pixels,
        lambda pixels: cv2.resize(pixels, None, fx=0.37, fy=0.37, interpolation=cv2.INTER_AREA),
        jpeg,
        lambda pixels: (pixels * 0.7).astype(np.uint8),
        lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    ],
    ids=["same", "smaller", "recompressed", "darker", "mirrored"],
)
def test_a_photo_that_is_measured_on_is_refused(
    photos: list[TrainingPhoto], changed: Callable[[Picture], Picture]
) -> None:
    copy = TrainingPhoto("measured.png", changed(photos[1].pixels))
    with pytest.raises(OverlapError, match=r"coffee\.png is the evaluation photo measured\.png"):
        refuse_overlap(photos, [copy])


def test_other_photos_are_not_refused(photos: list[TrainingPhoto]) -> None:
    refuse_overlap(photos[:2], photos[2:])
    bits = np.count_nonzero(difference_hash(photos[0].pixels) != difference_hash(photos[1].pixels))
    assert 90 < bits < 166  # about half of 256


def test_the_recipe_does_not_start_with_an_overlap(tmp_path: Path) -> None:
    for folder in ("train", "measured"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / f"{folder}.png", skimage_photo("chelsea"))
    folders = ["--photos", str(tmp_path / "train"), "--exclude", str(tmp_path / "measured")]
    target = tmp_path / "out.safetensors"
    with pytest.raises(OverlapError):
        main([*folders, "--out", str(target), "--state", str(tmp_path / "state")])
    assert not target.exists()


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared training and evaluation photos")
def test_the_training_photos_hold_none_of_kodak() -> None:
    refuse_overlap(read_photos(DATA / "train"), read_photos(DATA / "eval" / "kodak24"))


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no photos"):
        read_photos(tmp_path)


def test_a_file_that_is_no_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no photo")
    with pytest.raises(ValueError, match=r"broken\.png"):
        read_photos(tmp_path)


def test_the_split_leaves_no_photo_in_both_parts(photos: list[TrainingPhoto]) -> None:
    learn, look = split(photos, 3)
    assert [each.name for each in look] == ["chelsea.png", "astronaut.png"]
    assert [each.name for each in learn] == ["coffee.png", "rocket.png"]


def test_a_batch_is_known_by_its_step(photos: list[TrainingPhoto]) -> None:
    small, sharp = make_batch(photos, CONFIG, 7)
    assert small.shape == (3, 12, 12, 3)
    assert sharp.shape == (3, 48, 48, 3)
    again = make_batch(photos, CONFIG, 7)
    assert np.array_equal(small, again[0])
    assert np.array_equal(sharp, again[1])
    assert not np.array_equal(sharp, make_batch(photos, CONFIG, 8)[1])


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_come_in_order_however_many_make_them(
    photos: list[TrainingPhoto], workers: int
) -> None:
    with batches_from(5, photos, CONFIG, workers) as batches:
        made = list(islice(batches, 6))
    for step, (small, _) in enumerate(made, start=5):
        assert np.array_equal(small, make_batch(photos, CONFIG, step)[0])


def test_an_error_while_making_batches_reaches_the_run() -> None:
    tiny = [TrainingPhoto("tiny.png", np.zeros((8, 8, 3), np.uint8))]
    with (
        pytest.raises(ValueError, match="large enough"),
        batches_from(0, tiny, CONFIG, 1) as batches,
    ):
        next(batches)
