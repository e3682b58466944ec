"""Pictures on which forms of networks are calibrated and measured: every machine has them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.pipeline.contracts import FACE_PX
from photoenhance_ui.sample_photos import sample_photo

CROPPED = (
    "astronaut", "chelsea", "page", "coffee", "rocket", "camera", "immunohistochemistry", "coins",
)  # fmt: skip
"""The photos that crops are cut from."""
CROP_PX = 96
MAX_SHARE = 0.5  # of a photo's size, at which crops are cut
CONTRASTS = 0.7, 2.2  # by which the contrast of a crop is multiplied
ASTRONAUT_FACE = slice(10, 200), slice(130, 320)
"""Where scikit-image's astronaut has her face, with as much around it as an aligned one has."""

Picture = NDArray[np.uint8]


def crops(count: int, seed: int, side_px: int = CROP_PX) -> list[Picture]:
    """Crops of scikit-image's pictures; some are blurred, noisy, compressed, dark or bright."""
    photos = [_in_colour(sample_photo(name)) for name in CROPPED]
    chance = np.random.default_rng(seed)
    return [_crop(photos[index % len(photos)], side_px, chance) for index in range(count)]


def _in_colour(photo: Picture) -> Picture:
    return photo if photo.ndim == 3 else np.repeat(photo[:, :, None], 3, axis=2)


def _crop(photo: Picture, side_px: int, chance: np.random.Generator) -> Picture:
    # Made smaller, so that the crops are full of detail: on soft ones every form is alike.
    smallest = (side_px + 1) / min(photo.shape[:2])
    factor = chance.uniform(smallest, max(smallest, MAX_SHARE))
    small = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    picture = np.asarray(small, np.uint8)
    top, left = (int(chance.integers(length - side_px + 1)) for length in picture.shape[:2])
    crop = np.ascontiguousarray(picture[top : top + side_px, left : left + side_px])
    # Drawings and print have harder contrast than photos, and larger values in a network.
    contrast = chance.uniform(*CONTRASTS)
    crop = np.clip((crop - crop.mean()) * contrast + crop.mean(), 0, 255).astype(np.uint8)
    kind = int(chance.integers(4))
    if kind == 1:
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), chance.uniform(0.3, 1.0)), np.uint8)
    if kind >= 2:
        noise = chance.normal(0, chance.uniform(2, 15), crop.shape)
        crop = np.clip(np.rint(crop + noise), 0, 255).astype(np.uint8)
    if kind == 3:
        flags = [cv2.IMWRITE_JPEG_QUALITY, int(chance.integers(30, 90))]
        crop = np.asarray(cv2.imdecode(cv2.imencode(".jpg", crop, flags)[1], 1), np.uint8)
    gamma = chance.uniform(0.5, 1.6)
    return np.rint(255 * (crop / 255) ** gamma).astype(np.uint8)


def faces() -> list[Picture]:
    """(512, 512, 3) each: a face as it is, mirrored and noisy, gray and compressed, and soft."""
    rows, columns = ASTRONAUT_FACE
    face = cv2.resize(sample_photo("astronaut")[rows, columns], (FACE_PX, FACE_PX)).astype(np.uint8)
    chance = np.random.default_rng(3)
    noisy = np.clip(face[:, ::-1] + chance.normal(0, 10, face.shape), 0, 255).astype(np.uint8)
    gray = np.repeat(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    packed = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    soft = cv2.GaussianBlur(face, (0, 0), 6.0)
    return [face, noisy, np.asarray(cv2.imdecode(packed, 1), np.uint8), np.asarray(soft, np.uint8)]
