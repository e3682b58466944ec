"""Faster forms of networks on a CPU, used only once they are proven near the exact one.

How near a fast form is depends on the weights alone, so it is measured on the machine where the
weights are, on photos that every machine has, and the outcome is remembered on disk. Forms are
tried fastest first; the first that is near enough is used.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from safetensors import SafetensorError

from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.faces import soft_mask
from photoenhance_ui.networks.interfaces import FACE_PX, FaceParser, FaceRestorer, Upscaler
from photoenhance_ui.networks.on_openvino.compiled import (
    CompiledParser,
    CompiledRestorer,
    CompiledUpscaler,
    has_bfloat16,
)
from photoenhance_ui.networks.on_openvino.graphs import Quantized
from photoenhance_ui.networks.on_openvino.quantization import (
    KeptQuantized,
    largest_weight,
    quantized,
    read_quantized,
    write_quantized,
)
from photoenhance_ui.networks.on_torch.placement import errors_told
from photoenhance_ui.photo import Pixels
from photoenhance_ui.request import PRESETS, Request

log = logging.getLogger(__name__)

LEAST_MEAN_DB, LEAST_WORST_DB = 40.0, 35.0
"""PSNR between the fast and the exact result: what one does not see."""
LEAST_BLENDED_DB = 45.0
"""Of faces laid over others by a fast parser's mask and by the exact one's, at worst."""
VERSION = 5  # of the way in which forms are calibrated and measured; another one measures anew
CALIBRATION_CROPS, PROOF_CROPS = 48, 16
CALIBRATION_PX, PROOF_PX = 64, 96
COMMON_STRENGTHS = {Request.denoise, *(p["denoise"] for p in PRESETS.values() if "denoise" in p)}
"""Of denoising, each with weights of its own. Fitting 8 bits pays for those that are used again and
again; for others bfloat16 is there in a fifth of the time."""
COSTLY_OPERATIONS = 2e6
"""Multiply-adds a pixel from which pieces for calibration are half as wide, or it takes minutes."""
KEPT_WIDE = 2
"""Of the last convolutions, where 8 bits all through are too coarse: no later one mends them."""
MOST_DETAILED = 0.5  # largest share of a photo's size at which pieces are cut
CONTRASTS = 0.7, 2.2  # of pieces, by which that of their photo is multiplied
ASTRONAUT_FACE = slice(10, 200), slice(130, 320)
"""Where scikit-image's astronaut has her face, with as much around it as an aligned one has."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Proof:
    """How near the fastest form that may be used is to the exact one."""

    form: str | None
    """None: no form is near enough, and what follows tells of the last one tried."""
    mean_db: float
    worst_db: float
    quantized: Quantized = field(default_factory=dict)
    """Convolutions that are computed in 8 bits."""

    @property
    def passed(self) -> bool:
        """Whether there is a form that may be used."""
        return self.form is not None


def is_near(mean_db: float, worst_db: float) -> bool:
    """Whether a fast form that is so like the exact one may take its place."""
    return mean_db >= LEAST_MEAN_DB and worst_db >= LEAST_WORST_DB


class Proofs:
    """What was measured before, one small file for each network, strength and version."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Proof] = {}
        self._measuring: dict[str, threading.Lock] = {}

    def of_upscaler(self, upscaler: CompiledUpscaler, denoise: float) -> Proof:
        """The proof of the network's fast form; measured now where it never was."""
        key = _upscaler_key(upscaler, denoise)
        return self._remembered(key, upscaler.name, lambda: prove_upscaler(upscaler, denoise))

    def of_restorer(self, restorer: CompiledRestorer) -> Proof:
        """As above."""
        key = restorer.fingerprint[:32]
        return self._remembered(key, restorer.name, lambda: prove_restorer(restorer))

    def of_parser(self, parser: CompiledParser) -> Proof:
        """As above."""
        key = parser.fingerprint[:32]
        return self._remembered(key, parser.name, lambda: prove_parser(parser))

    def assume(self, upscaler: CompiledUpscaler, denoise: float, proof: Proof) -> None:
        """Take ``proof`` for measured, as benchmarks do: random weights have none that counts."""
        self._remembered(_upscaler_key(upscaler, denoise), upscaler.name, lambda: proof)

    def kept(self) -> list[Proof]:
        """All that were measured and kept, by anyone."""
        proofs = (_read(path) for path in sorted(self._folder.glob("*.safetensors")))
        return [proof for proof in proofs if proof is not None]

    def _remembered(self, key: str, name: str, measure: Callable[[], Proof]) -> Proof:
        """Another processor or OpenVINO computes differently, so they belong to the key."""
        kind = "bf16" if has_bfloat16() else "f32"
        key = f"{key}-{kind}-{largest_weight()}-v{VERSION}-{ov.__version__.partition('-')[0]}"
        path = self._folder / f"{key}.safetensors"
        if (known := self._known.get(key)) is not None:
            return known
        with self._measuring.setdefault(key, threading.Lock()):  # nobody waits for another's
            known = self._known.get(key) or _read(path)
            if known is None:
                with errors_told(name):
                    known = measure()
                log.info(
                    "fast_form_measured name=%s form=%s mean_db=%.1f worst_db=%.1f",
                    name, known.form, known.mean_db, known.worst_db,
                )  # fmt: skip
                _write(path, known)
            self._known[key] = known
            return known


def _upscaler_key(upscaler: CompiledUpscaler, denoise: float) -> str:
    strength = f"{denoise:g}" if upscaler.is_blended else "none"
    return f"{upscaler.fingerprint[:32]}-{strength}"


def _read(path: Path) -> Proof | None:
    kept = read_quantized(path)
    if kept is None:
        return None
    try:
        told = json.loads(kept.told["proof"])
        return Proof(told["form"], told["mean_db"], told["worst_db"], kept.convolutions)
    except (ValueError, KeyError, TypeError):
        return None  # not whole: measured anew


def _write(path: Path, proof: Proof) -> None:
    told = {"form": proof.form, "mean_db": proof.mean_db, "worst_db": proof.worst_db}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_quantized(path, KeptQuantized(proof.quantized, {"proof": json.dumps(told)}))
    except (OSError, SafetensorError) as error:  # it only costs measuring again
        log.warning("fast_form_not_kept reason=%s", type(error).__name__)


# Upscalers


def prove_upscaler(upscaler: CompiledUpscaler, denoise: float) -> Proof:
    """In 8 bits, fitted to some crops and measured on others; else or for rare strengths, bfloat16.

    Raises NetworkFailed where even the exact form gives no picture.
    """
    exact = upscaler.in_exact_form()
    pictures = crops(PROOF_CROPS, 2)
    exact(pictures[0][None], denoise)

    def measured(form: str, convolutions: Quantized) -> Proof:
        fast = upscaler.in_fast_form(lambda _: convolutions)
        mean_db, worst_db = likeness_db(exact, fast, denoise, pictures)
        passed = form if is_near(mean_db, worst_db) else None
        return Proof(passed, round(mean_db, 2), round(worst_db, 2), convolutions)

    forms = _upscaler_forms(upscaler, denoise)
    return _first_passed(upscaler.name, (partial(measured, *form) for form in forms))


def _first_passed(network: str, forms: Iterable[Callable[[], Proof]]) -> Proof:
    """Forms are measured up to the first that passes; where none does, the last one tells.

    One that fails does not pass; but where memory runs out, nothing was measured: MemoryExhausted.
    """
    proof = Proof(None, 0.0, 0.0)
    for measure in forms:
        try:
            with errors_told(network):
                proof = measure()
        except NetworkFailed as error:
            log.warning("fast_form_failed name=%s reason=%s", network, error.sentence)
            proof = Proof(None, 0.0, 0.0)
        if proof.passed:
            break
    return proof


def _upscaler_forms(upscaler: CompiledUpscaler, denoise: float) -> Iterator[tuple[str, Quantized]]:
    is_common = denoise in COMMON_STRENGTHS or not upscaler.is_blended
    if is_common or not has_bfloat16():
        convolutions = kept_or_fitted(upscaler, denoise)
        yield "8 bits", convolutions
        yield f"8 bits, the last {KEPT_WIDE} wider", dict(list(convolutions.items())[:-KEPT_WIDE])
    if has_bfloat16():
        yield "bfloat16", {}


def kept_or_fitted(upscaler: CompiledUpscaler, denoise: float) -> Quantized:
    """As it came with the weights, or worked out now."""
    if upscaler.quantized_file is not None:
        kept = read_quantized(upscaler.quantized_file)
        if kept is not None and kept.told.get("fingerprint") == upscaler.fingerprint:
            return kept.convolutions
    return fitted(upscaler, denoise, largest_weight())


def fitted(upscaler: CompiledUpscaler, denoise: float, largest: int) -> Quantized:
    """All convolutions in 8 bits, worked out on other pieces than those that prove a form.

    ``largest`` is that of their whole weights.
    """
    is_costly = upscaler.operations_per_pixel > COSTLY_OPERATIONS
    pictures = crops(CALIBRATION_CROPS, 1, CALIBRATION_PX // (2 if is_costly else 1))
    return quantized(upscaler.exact_graph(denoise), pictures, largest)


def likeness_db(
    exact: Upscaler, fast: Upscaler, denoise: float, pictures: Sequence[Picture]
) -> tuple[float, float]:
    """Mean and worst PSNR in dB between two upscalers' results, at most 99 each.

    0 where the fast one gives no picture.
    """
    expected = [exact(picture[None], denoise) for picture in pictures]
    return _likeness_db(expected, lambda picture: fast(picture, denoise), pictures)


def _likeness_db(
    expected: Sequence[Pixels], fast: Callable[[Pixels], Pixels], pictures: Sequence[Picture]
) -> tuple[float, float]:
    try:
        values = [
            _psnr(one, fast(picture[None])) for one, picture in zip(expected, pictures, strict=True)
        ]
    except NetworkFailed:
        return 0.0, 0.0
    return float(np.mean(values)), min(values)


def crops(count: int, seed: int, side_px: int = PROOF_PX) -> list[Picture]:
    """Pieces of scikit-image's pictures; some are blurred, noisy, compressed, dark or bright."""
    from skimage import data

    taken = (data.astronaut, data.chelsea, data.page, data.coffee, data.rocket, data.camera,
             data.immunohistochemistry, data.coins)  # fmt: skip
    photos = [_in_colour(take()) for take in taken]
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


@dataclass(frozen=True)
class ParserForm:
    """How a parser looks at faces."""

    reduced: int
    fast: bool

    @property
    def name(self) -> str:
        """As it is remembered."""
        return f"{'bfloat16' if self.fast else 'exact'}, faces {FACE_PX // self.reduced} px"


def parser_forms() -> list[ParserForm]:
    """Fastest first; the exact one is not among them."""
    forms = [ParserForm(2, True), ParserForm(1, True)] if has_bfloat16() else []
    return [*forms, ParserForm(2, False)]


def prove_restorer(restorer: CompiledRestorer) -> Proof:
    """In bfloat16, on a face in several states."""
    if not has_bfloat16():
        return Proof(None, 0.0, 0.0)
    # One after the other: each graph takes a gigabyte, and this one is gone before the next.
    expected = _restored(restorer.in_form(fast=False))

    def measured() -> Proof:
        mean_db, worst_db = _likeness_db(expected, restorer.in_form(fast=True), faces())
        form = "bfloat16" if is_near(mean_db, worst_db) else None
        return Proof(form, round(mean_db, 2), round(worst_db, 2))

    return _first_passed(restorer.name, [measured])


def restorers_likeness_db(exact: FaceRestorer, fast: FaceRestorer) -> tuple[float, float]:
    """Mean and worst PSNR in dB of restored faces; 0 where the fast one gives no picture."""
    return _likeness_db(_restored(exact), fast, faces())


def _restored(restorer: FaceRestorer) -> list[Pixels]:
    return [restorer(face[None]) for face in faces()]


def prove_parser(parser: CompiledParser) -> Proof:
    """On faces of half the size and in bfloat16; by what is seen when its mask is used."""
    expected = _blends(parser.in_form(reduced=1, fast=False))

    def measured(form: ParserForm) -> Proof:
        fast = parser.in_form(reduced=form.reduced, fast=form.fast)
        values = _likenesses(expected, _blends(fast))
        passed = form.name if min(values) >= LEAST_BLENDED_DB else None
        return Proof(passed, round(float(np.mean(values)), 2), round(min(values), 2))

    return _first_passed(parser.name, (partial(measured, form) for form in parser_forms()))


def parsers_likeness_db(exact: FaceParser, fast: FaceParser) -> float:
    """Worst PSNR in dB of what is seen when one mask is used and the other."""
    return min(_likenesses(_blends(exact), _blends(fast)))


def _likenesses(some: Sequence[Picture], others: Sequence[Picture]) -> list[float]:
    return [_psnr(one, other) for one, other in zip(some, others, strict=True)]


def _blends(parser: FaceParser) -> list[Picture]:
    return [_blended(parser, face) for face in faces()]


def _blended(parser: FaceParser, face: Picture) -> Picture:
    """Its mirror image laid over the face where the parser sees one: both differ everywhere."""
    mask = soft_mask(parser(face[None])[0])[:, :, None]
    return np.rint(face + mask * (face[:, ::-1].astype(np.float32) - face)).astype(np.uint8)


def faces() -> list[Picture]:
    """(512, 512, 3) each: a face as it is, mirrored and noisy, gray and compressed, and soft."""
    from skimage import data

    rows, columns = ASTRONAUT_FACE
    face = cv2.resize(data.astronaut()[rows, columns], (FACE_PX, FACE_PX)).astype(np.uint8)
    chance = np.random.default_rng(3)
    noisy = np.clip(face[:, ::-1] + chance.normal(0, 10, face.shape), 0, 255).astype(np.uint8)
    gray = np.repeat(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    packed = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    soft = cv2.GaussianBlur(face, (0, 0), 6.0)
    return [face, noisy, np.asarray(cv2.imdecode(packed, 1), np.uint8), np.asarray(soft, np.uint8)]


def _psnr(one: Pixels, other: Pixels) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return min(99.0, float(10 * np.log10(255**2 / error))) if error else 99.0
