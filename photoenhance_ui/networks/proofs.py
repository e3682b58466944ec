"""Faster forms of upscalers: calibrated, and used only once they are proven near the exact one.

A network's 8-bit form depends on its weights alone, so it is measured on the machine where the
weights are, on photos that every machine has, and the outcome is remembered on disk.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from photoenhance_ui.networks.compiled import CompiledUpscaler, compiled
from photoenhance_ui.networks.graphs import Network, Ranges, Weights, probe_graph
from photoenhance_ui.networks.interfaces import Upscaler

log = logging.getLogger(__name__)

LEAST_MEAN_DB, LEAST_WORST_DB = 40.0, 35.0
"""PSNR between the fast and the exact result: what one does not see."""
VERSION = 2  # of the way in which forms are calibrated and measured; another one measures anew
CALIBRATION_CROPS, PROOF_CROPS = 24, 16
CROP_PX = 96
MOST_DETAILED = 0.5  # largest share of a photo's size at which pieces are cut
VALUES_KEPT = 6000  # of each convolution's input and crop: enough for its distribution
CLIPPINGS = np.linspace(0.25, 1.0, 26)  # shares of the range that are tried

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Proof:
    """How near a fast form is to the exact one, and what it is made with."""

    mean_db: float
    worst_db: float
    ranges: Mapping[str, tuple[float, float]]
    """Convolutions that are computed in 8 bits, and the ranges of their inputs."""

    @property
    def passed(self) -> bool:
        """Whether the form may be used."""
        return is_near(self.mean_db, self.worst_db)


def is_near(mean_db: float, worst_db: float) -> bool:
    """Whether a fast form that is so like the exact one may take its place."""
    return mean_db >= LEAST_MEAN_DB and worst_db >= LEAST_WORST_DB


class Proofs:
    """What was measured before, one small file for each network, strength and version."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Proof] = {}

    def of(self, upscaler: CompiledUpscaler, denoise: float) -> Proof:
        """The proof of the network's 8-bit form; measured now where it never was."""
        key = _key(upscaler, denoise)
        path = self._folder / f"{key}.json"
        known = self._known.get(key) or _read(path)
        if known is not None:
            self._known[key] = known
            return known
        proof = self._known[key] = prove(upscaler, denoise)
        log.info(
            "fast_form_measured name=%s denoise=%g mean_db=%.1f worst_db=%.1f passed=%s",
            upscaler.name, denoise, proof.mean_db, proof.worst_db, proof.passed,
        )  # fmt: skip
        _write(path, proof)
        return proof


def _key(upscaler: CompiledUpscaler, denoise: float) -> str:
    strength = f"{denoise:g}" if upscaler.is_blended else "none"
    return f"{upscaler.fingerprint[:32]}-{strength}-v{VERSION}-{ov.__version__.partition('-')[0]}"


def _read(path: Path) -> Proof | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        ranges = {name: (float(low), float(high)) for name, (low, high) in kept["ranges"].items()}
        return Proof(float(kept["mean_db"]), float(kept["worst_db"]), ranges)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not there, or not whole: measured anew


def _write(path: Path, proof: Proof) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(asdict(proof)), encoding="utf-8")
        part.replace(path)
    except OSError as error:  # it only costs measuring again
        log.warning("fast_form_not_kept reason=%s", type(error).__name__)


def prove(upscaler: CompiledUpscaler, denoise: float) -> Proof:
    """Calibrate the 8-bit form and measure it on other crops."""
    ranges = calibrated(upscaler.network, upscaler.weights(denoise), crops(CALIBRATION_CROPS, 1))
    fast = upscaler.in_8_bits(lambda _: ranges)
    mean_db, worst_db = likeness_db(upscaler, fast, denoise, crops(PROOF_CROPS, 2))
    return Proof(round(mean_db, 2), round(worst_db, 2), ranges)


def likeness_db(
    exact: Upscaler, fast: Upscaler, denoise: float, pictures: Sequence[Picture]
) -> tuple[float, float]:
    """Mean and worst PSNR in dB between two upscalers' results, at most 99 each."""
    values = []
    for picture in pictures:
        one, other = (each(picture[None], denoise).astype(np.float64) for each in (exact, fast))
        error = float(np.mean((one - other) ** 2))
        values.append(min(99.0, 10 * np.log10(255**2 / error)) if error else 99.0)
    return float(np.mean(values)), float(min(values))


def calibrated(network: Network, weights: Weights, pictures: Sequence[Picture]) -> Ranges:
    """For each convolution, the range of its input that 256 steps tell with the least error."""
    graph, names = probe_graph(network, weights)
    request = compiled(graph)
    chance = np.random.default_rng(0)
    seen: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for picture in pictures:
        floats = picture[None].transpose(0, 3, 1, 2).astype(np.float32) / 255
        answer = request.infer(floats)
        for index, name in enumerate(names):
            values = answer[index].ravel()
            ends = np.array([values.min(), values.max()], np.float32)
            seen[name].append(np.concatenate([ends, chance.choice(values, VALUES_KEPT)]))
    ranges = {name: _best_range(np.concatenate(values)) for name, values in seen.items()}
    ranges[names[0]] = (0.0, 1.0)  # the picture's own levels
    return ranges


def _best_range(values: NDArray[np.float32]) -> tuple[float, float]:
    """Ends, with 0 on a step, between which rounding and cutting off cost least in squares."""
    lowest, highest = min(0.0, float(values.min())), max(0.0, float(values.max()))
    tried = []
    for share in CLIPPINGS:
        step = max((highest - lowest) * share / 255, 1e-12)
        zero = round(-lowest * share / step)
        low, high = -zero * step, (255 - zero) * step
        rounded = np.round(np.clip(values, low, high) / step) * step
        tried.append((float(np.mean((rounded - values) ** 2)), low, high))
    _, low, high = min(tried)
    return float(low), float(high)


def crops(count: int, seed: int) -> list[Picture]:
    """Pieces of scikit-image's photos, some of them blurred, noisy, compressed, dark or bright."""
    from skimage import data

    photos = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    chance = np.random.default_rng(seed)
    return [_crop(photos[index % len(photos)], chance) for index in range(count)]


def _crop(photo: Picture, chance: np.random.Generator) -> Picture:
    # Made smaller, so that the pieces are full of detail: on soft ones every form is alike.
    factor = chance.uniform((CROP_PX + 1) / min(photo.shape[:2]), MOST_DETAILED)
    small = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    picture = np.asarray(small, np.uint8)
    top, left = (int(chance.integers(length - CROP_PX + 1)) for length in picture.shape[:2])
    crop = np.ascontiguousarray(picture[top : top + CROP_PX, left : left + CROP_PX])
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
