"""How near two forms of a network are: in dB, on photos that every machine has.

What one form gives is compared with what the exact one gives; whichever computes them.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.contracts import FACE_PX, FaceParser, FaceRestorer, Upscaler
from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.faces import soft_mask
from photoenhance_ui.photo import Pixels
from photoenhance_ui.sample_photos import sample_photo

LEAST_MEAN_DB, LEAST_WORST_DB = 40.0, 35.0
"""PSNR between the fast and the exact result: what one does not see."""
LEAST_BLENDED_DB = 45.0
"""Of faces laid over others by a fast parser's mask and by the exact one's, at worst."""
CROPPED = (
    "astronaut", "chelsea", "page", "coffee", "rocket", "camera", "immunohistochemistry", "coins",
)  # fmt: skip
"""The photos that pieces are cut from."""
PROOF_PX = 96  # side of a piece
MOST_DETAILED = 0.5  # largest share of a photo's size at which pieces are cut
CONTRASTS = 0.7, 2.2  # of pieces, by which that of their photo is multiplied
ASTRONAUT_FACE = slice(10, 200), slice(130, 320)
"""Where scikit-image's astronaut has her face, with as much around it as an aligned one has."""


Picture = NDArray[np.uint8]


def is_near(mean_db: float, worst_db: float) -> bool:
    """Whether a fast form that is so like the exact one may take its place."""
    return mean_db >= LEAST_MEAN_DB and worst_db >= LEAST_WORST_DB


# Upscalers


def likeness_db(
    exact: Upscaler, fast: Upscaler, denoise: float, pictures: Sequence[Picture]
) -> tuple[float, float]:
    """Mean and worst PSNR in dB between two upscalers' results, at most 99 each.

    0 where the fast one gives no picture.
    """
    expected = [exact(picture[None], denoise) for picture in pictures]
    return likeness_to_db(expected, lambda picture: fast(picture, denoise), pictures)


def likeness_to_db(
    expected: Sequence[Pixels], fast: Callable[[Pixels], Pixels], pictures: Sequence[Picture]
) -> tuple[float, float]:
    """As above, with what the exact one gave for these pictures."""
    try:
        values = [
            _psnr(one, fast(picture[None])) for one, picture in zip(expected, pictures, strict=True)
        ]
    except NetworkFailed:
        return 0.0, 0.0
    return float(np.mean(values)), min(values)


def crops(count: int, seed: int, side_px: int = PROOF_PX) -> list[Picture]:
    """Pieces of scikit-image's pictures; some are blurred, noisy, compressed, dark or bright."""
    photos = [_in_colour(sample_photo(name)) for name in CROPPED]
    chance = np.random.default_rng(seed)
    return [_crop(photos[index % len(photos)], side_px, chance) for index in range(count)]


def _in_colour(photo: Picture) -> Picture:
    return photo if photo.ndim == 3 else np.repeat(photo[:, :, None], 3, axis=2)


def _crop(photo: Picture, side_px: int, chance: np.random.Generator) -> Picture:
    # Made smaller, so that the pieces are full of detail: on soft ones every form is alike.
    smallest = (side_px + 1) / min(photo.shape[:2])
    factor = chance.uniform(smallest, max(smallest, MOST_DETAILED))
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


# Faces


def restorers_likeness_db(exact: FaceRestorer, fast: FaceRestorer) -> tuple[float, float]:
    """Mean and worst PSNR in dB of restored faces; 0 where the fast one gives no picture."""
    return likeness_to_db(restored_faces(exact), fast, faces())


def restored_faces(restorer: FaceRestorer) -> list[Pixels]:
    """What the restorer makes of each of ``faces``."""
    return [restorer(face[None]) for face in faces()]


def parsers_likeness_db(exact: FaceParser, fast: FaceParser) -> float:
    """Worst PSNR in dB of what is seen when one mask is used and the other."""
    return min(likenesses_db(blends(exact), blends(fast)))


def likenesses_db(some: Sequence[Picture], others: Sequence[Picture]) -> list[float]:
    """PSNR in dB of each pair."""
    return [_psnr(one, other) for one, other in zip(some, others, strict=True)]


def blends(parser: FaceParser) -> list[Picture]:
    """What is seen when the parser's masks of ``faces`` are used."""
    return [_blended(parser, face) for face in faces()]


def _blended(parser: FaceParser, face: Picture) -> Picture:
    """Its mirror image laid over the face where the parser sees one: both differ everywhere."""
    mask = soft_mask(parser(face[None])[0])[:, :, None]
    return np.rint(face + mask * (face[:, ::-1].astype(np.float32) - face)).astype(np.uint8)


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


def _psnr(one: Pixels, other: Pixels) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return min(99.0, float(10 * np.log10(255**2 / error))) if error else 99.0
