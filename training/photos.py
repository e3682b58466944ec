"""The training photos: read once, kept as bytes of pixels, cut into random patches."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.config import Config
from training.degrade import Picture, degrade

SUFFIXES = (".webp", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
HASH_PX = 16
AHEAD_PER_WORKER = 3
SAME_PHOTO_BITS = 20  # of 256; two different photos differ in about 128


class OverlapError(Exception):
    """A training photo is also one of the photos that the result is measured on."""


@dataclass(frozen=True, eq=False)
class TrainingPhoto:
    """A photo by name with its pixels."""

    name: str
    pixels: Picture


def read_photos(folder: Path) -> list[TrainingPhoto]:
    """All photos of a folder, by name. Raises ValueError where there is none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"There are no photos in {folder.name}.")
    return [TrainingPhoto(path.name, _read(path)) for path in paths]


def _read(path: Path) -> Picture:
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError(f"{path.name} is no photo that can be read.")
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


def difference_hash(pixels: Picture) -> NDArray[np.bool_]:
    """(256,) bits: whether each of 16x16 places is brighter than its right neighbour.

    Survives resizing, recompression and light changes; 0 bits apart means the same photo.
    """
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (HASH_PX + 1, HASH_PX), interpolation=cv2.INTER_AREA).astype(np.int16)
    return (small[:, 1:] > small[:, :-1]).ravel()


def refuse_overlap(train: Sequence[TrainingPhoto], measured_on: Sequence[TrainingPhoto]) -> None:
    """Raise OverlapError where a photo of one list is (nearly) one of the other, or mirrored."""
    hashes = [(photo.name, difference_hash(photo.pixels)) for photo in measured_on]
    for photo in train:
        for pixels in (photo.pixels, np.ascontiguousarray(photo.pixels[:, ::-1])):
            own = difference_hash(pixels)
            for name, other in hashes:
                if np.count_nonzero(own != other) <= SAME_PHOTO_BITS:
                    raise OverlapError(f"{photo.name} is the evaluation photo {name}.")


def split(
    photos: Sequence[TrainingPhoto], every: int
) -> tuple[list[TrainingPhoto], list[TrainingPhoto]]:
    """Photos to learn from, and each ``every``-th one, by name, to look at the curve with."""
    return (
        [photo for index, photo in enumerate(photos) if index % every],
        [photo for index, photo in enumerate(photos) if not index % every],
    )


Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""(N, h, w, 3) degraded and (N, h*scale, w*scale, 3) sharp."""


def make_batch(photos: Sequence[TrainingPhoto], config: Config, step: int) -> Batch:
    """The batch of one step: the same one every time, whoever makes it and when.

    Photos are drawn by the root of their area, so that large ones do not drown the others.
    """
    chance = np.random.default_rng([config.seed, step])
    scale = config.architecture.scale
    side = config.patch_px * scale
    usable = [photo.pixels for photo in photos if min(photo.pixels.shape[:2]) >= side]
    if not usable:
        raise ValueError(f"No photo is large enough: {side} pixels at its shorter side.")
    areas = np.sqrt([float(pixels.shape[0] * pixels.shape[1]) for pixels in usable])
    drawn = chance.choice(len(usable), config.batch, p=areas / areas.sum())
    sharp = [_patch(usable[index], side, chance) for index in drawn]
    small = [degrade(patch, scale, config.degradation, chance) for patch in sharp]
    return np.stack(small), np.stack(sharp)


@contextmanager
def batches_from(
    step: int, photos: Sequence[TrainingPhoto], config: Config, workers: int
) -> Iterator[Iterator[Batch]]:
    """Endless batches from ``step`` on, made in threads while the last one is learned from."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")
    steps = count(step)

    def ordered() -> Iterator[Batch]:
        ahead = deque(
            pool.submit(make_batch, photos, config, next(steps))
            for _ in range(AHEAD_PER_WORKER * workers)
        )
        while True:
            ahead.append(pool.submit(make_batch, photos, config, next(steps)))
            yield ahead.popleft().result()

    try:
        yield ordered()
    finally:
        pool.shutdown(cancel_futures=True)


def _patch(pixels: Picture, side: int, chance: np.random.Generator) -> Picture:
    """A square of the photo, turned and mirrored at random."""
    top = int(chance.integers(pixels.shape[0] - side + 1))
    left = int(chance.integers(pixels.shape[1] - side + 1))
    patch = np.rot90(pixels[top : top + side, left : left + side], int(chance.integers(4)))
    return np.ascontiguousarray(patch[:, ::-1] if chance.random() < 0.5 else patch)
