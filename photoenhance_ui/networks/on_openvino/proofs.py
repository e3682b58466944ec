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
from typing import Any

import numpy as np
import openvino as ov
from safetensors import SafetensorError

from photoenhance_ui.catalogue import logged_name
from photoenhance_ui.contracts import FACE_PX, Upscaler
from photoenhance_ui.errors import EngineStopped, NetworkFailed
from photoenhance_ui.networks.foreign_errors import errors_told
from photoenhance_ui.networks.likeness import (
    LEAST_BLENDED_DB,
    Picture,
    blends,
    crops,
    faces,
    is_near,
    likeness_to_db,
    likenesses_db,
    restored_faces,
)
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
from photoenhance_ui.networks.once import Once
from photoenhance_ui.photo import Pixels
from photoenhance_ui.request import PRESETS, Request

log = logging.getLogger(__name__)

VERSION = 5  # of the way in which forms are calibrated and measured; another one measures anew
CALIBRATION_CROPS, PROOF_CROPS = 48, 16
CALIBRATION_PX = 64
COMMON_STRENGTHS = {Request.denoise, *(p["denoise"] for p in PRESETS.values() if "denoise" in p)}
"""Of denoising, each with weights of its own. Fitting 8 bits pays for those that are used again and
again; for others bfloat16 is there in a fifth of the time."""
COSTLY_OPERATIONS = 2e6
"""Multiply-adds a pixel from which pieces for calibration are half as wide, or it takes minutes."""
KEPT_WIDE = 2
"""Of the last convolutions, where 8 bits all through are too coarse: no later one mends them."""


Check = Callable[[], None]
"""Raises where measuring is to be given up."""


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


class Proofs:
    """What was measured before, one small file for each network, strength and version."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: Once[str, Proof] = Once()
        self._unconfirmed: set[str] = set()
        self._stopped = threading.Event()

    def of_upscaler(self, upscaler: CompiledUpscaler, denoise: float) -> Proof:
        """The proof of the network's fast form, as it came with the file or was measured here.

        Measured now where it never was.
        """
        return self._remembered(
            _upscaler_key(upscaler, denoise), upscaler.name,
            lambda: prove_upscaler(upscaler, denoise, self._check), lambda: _shipped(upscaler),
        )  # fmt: skip

    def confirm(self, upscaler: CompiledUpscaler, denoise: float) -> bool:
        """Measure here what came with the file; False where another form is to be used instead."""
        key = _key(_upscaler_key(upscaler, denoise))
        if key not in self._unconfirmed:
            return True
        assumed = self.of_upscaler(upscaler, denoise)
        measured = self._measured(
            key, upscaler.name, lambda: prove_upscaler(upscaler, denoise, self._check)
        )
        self._known.put(key, measured)
        self._unconfirmed.discard(key)
        return measured.form == assumed.form

    def stop(self) -> None:
        """Give up what is being measured, now and later: EngineStopped for who asked for it."""
        self._stopped.set()

    def of_restorer(self, restorer: CompiledRestorer) -> Proof:
        """As above."""
        return self._remembered(
            restorer.fingerprint[:32], restorer.name, lambda: prove_restorer(restorer, self._check)
        )  # fmt: skip

    def of_parser(self, parser: CompiledParser) -> Proof:
        """As above."""
        return self._remembered(
            parser.fingerprint[:32], parser.name, lambda: prove_parser(parser, self._check)
        )  # fmt: skip

    def assume(self, upscaler: CompiledUpscaler, denoise: float, proof: Proof) -> None:
        """Take ``proof`` for measured, as benchmarks do: random weights have none that counts."""
        key = _key(_upscaler_key(upscaler, denoise))
        _write(self._path(key), proof)
        self._known.put(key, proof)

    def kept(self) -> list[Proof]:
        """All that were measured and kept, by anyone."""
        proofs = (_read(path) for path in sorted(self._folder.glob("*.safetensors")))
        return [proof for proof in proofs if proof is not None]

    def _remembered(
        self,
        network: str,
        name: str,
        measure: Callable[[], Proof],
        shipped: Callable[[], Proof | None] = lambda: None,
    ) -> Proof:
        """As it was measured here before, or as it came with the file; else measured now."""
        key = _key(network)

        def made() -> Proof:
            if (known := _read(self._path(key))) is not None:
                return known
            if (came := shipped()) is not None:
                self._unconfirmed.add(key)
                return came
            return self._measured(key, name, measure)

        return self._known.get(key, made)

    def _measured(self, key: str, name: str, measure: Callable[[], Proof]) -> Proof:
        with errors_told(name):
            proof = measure()
        log.info(
            "fast_form_measured name=%s form=%s mean_db=%.1f worst_db=%.1f",
            logged_name(name), proof.form, proof.mean_db, proof.worst_db,
        )  # fmt: skip
        _write(self._path(key), proof)
        return proof

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.safetensors"

    def _check(self) -> None:
        if self._stopped.is_set():
            raise EngineStopped("The program was closed before the network was measured.")


def openvino_version() -> str:
    """The version whose results a proof tells of, without what says how it was built."""
    return str(ov.__version__.partition("-")[0])


def _key(network: str) -> str:
    """Another processor or OpenVINO computes differently, so they belong to the key."""
    kind = "bf16" if has_bfloat16() else "f32"
    return f"{network}-{kind}-{largest_weight()}-v{VERSION}-{openvino_version()}"


def _upscaler_key(upscaler: CompiledUpscaler, denoise: float) -> str:
    strength = f"{denoise:g}" if upscaler.is_blended else "none"
    return f"{upscaler.fingerprint[:32]}-{strength}"


def _read(path: Path) -> Proof | None:
    kept = read_quantized(path)
    if kept is None:
        return None
    return _proof_in(kept)


def _proof_in(kept: KeptQuantized) -> Proof | None:
    try:
        told = json.loads(kept.told["proof"])
        return Proof(told["form"], told["mean_db"], told["worst_db"], kept.convolutions)
    except (ValueError, KeyError, TypeError):
        return None  # not whole: measured anew


def _shipped(upscaler: CompiledUpscaler) -> Proof | None:
    """What came with the very weights, for the very OpenVINO."""
    kept = _kept_beside(upscaler)
    if kept is None or kept.told.get("openvino") != openvino_version():
        return None
    return _proof_in(kept)


def told_of(proof: Proof) -> dict[str, str]:
    """The proof as a file of convolutions tells it."""
    told = {"form": proof.form, "mean_db": proof.mean_db, "worst_db": proof.worst_db}
    return {"proof": json.dumps(told)}


def _write(path: Path, proof: Proof) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_quantized(path, KeptQuantized(proof.quantized, told_of(proof)))
    except (OSError, SafetensorError) as error:  # it only costs measuring again
        log.warning("fast_form_not_kept reason=%s", type(error).__name__)


# Upscalers


def prove_upscaler(
    upscaler: CompiledUpscaler, denoise: float, check: Check = lambda: None
) -> Proof:
    """In 8 bits, fitted to some crops and measured on others; else or for rare strengths, bfloat16.

    Raises NetworkFailed where even the exact form gives no picture, and whatever ``check`` raises,
    which is called now and then.
    """
    pictures = crops(PROOF_CROPS, 2)
    # The exact graph is gone before the others are compiled.
    expected = _enlarged(_checked(upscaler.in_exact_form(), check), denoise, pictures)

    def measured(form: str, convolutions: Quantized) -> Proof:
        fast = _checked(upscaler.in_fast_form(lambda _: convolutions), check)
        mean_db, worst_db = likeness_to_db(
            expected, lambda picture: fast(picture, denoise), pictures
        )
        passed = form if is_near(mean_db, worst_db) else None
        return Proof(passed, round(mean_db, 2), round(worst_db, 2), convolutions)

    forms = _upscaler_forms(upscaler, denoise, check)
    return _first_passed(upscaler.name, (partial(measured, *form) for form in forms))


def _enlarged(upscaler: Upscaler, denoise: float, pictures: Sequence[Picture]) -> list[Pixels]:
    return [upscaler(picture[None], denoise) for picture in pictures]


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
            reason = type(error.__cause__).__name__
            log.warning("fast_form_failed name=%s reason=%s", logged_name(network), reason)
            proof = Proof(None, 0.0, 0.0)
        if proof.passed:
            break
    return proof


def _checked(network: Callable[..., Any], check: Check) -> Any:
    """The network, which calls ``check`` before it computes."""

    def computed(*given: Any) -> Any:
        check()
        return network(*given)

    return computed


def _upscaler_forms(
    upscaler: CompiledUpscaler, denoise: float, check: Check
) -> Iterator[tuple[str, Quantized]]:
    is_common = denoise in COMMON_STRENGTHS or not upscaler.is_blended
    if is_common or not has_bfloat16():
        convolutions = kept_or_fitted(upscaler, denoise, check)
        yield "8 bits", convolutions
        yield f"8 bits, the last {KEPT_WIDE} wider", dict(list(convolutions.items())[:-KEPT_WIDE])
    if has_bfloat16():
        yield "bfloat16", {}


def kept_or_fitted(
    upscaler: CompiledUpscaler, denoise: float, check: Check = lambda: None
) -> Quantized:
    """As it came with the weights, or worked out now."""
    kept = _kept_beside(upscaler)
    if kept is not None:
        return kept.convolutions
    return fitted(upscaler, denoise, largest_weight(), check)


def _kept_beside(upscaler: CompiledUpscaler) -> KeptQuantized | None:
    """The convolutions in 8 bits that came with these very weights."""
    if upscaler.quantized_file is None:
        return None
    kept = read_quantized(upscaler.quantized_file)
    is_its_own = kept is not None and kept.told.get("fingerprint") == upscaler.fingerprint
    return kept if is_its_own else None


def fitted(
    upscaler: CompiledUpscaler, denoise: float, largest: int, check: Check = lambda: None
) -> Quantized:
    """All convolutions in 8 bits, worked out on other pieces than those that prove a form.

    ``largest`` is that of their whole weights.
    """
    is_costly = upscaler.operations_per_pixel > COSTLY_OPERATIONS
    pictures = crops(CALIBRATION_CROPS, 1, CALIBRATION_PX // (2 if is_costly else 1))
    return quantized(upscaler.exact_graph(denoise), pictures, largest, check)


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


def prove_restorer(restorer: CompiledRestorer, check: Check = lambda: None) -> Proof:
    """In bfloat16, on a face in several states."""
    if not has_bfloat16():
        return Proof(None, 0.0, 0.0)
    # One after the other: each graph takes a gigabyte, and this one is gone before the next.
    expected = restored_faces(_checked(restorer.in_form(fast=False), check))

    def measured() -> Proof:
        mean_db, worst_db = likeness_to_db(
            expected, _checked(restorer.in_form(fast=True), check), faces()
        )
        form = "bfloat16" if is_near(mean_db, worst_db) else None
        return Proof(form, round(mean_db, 2), round(worst_db, 2))

    return _first_passed(restorer.name, [measured])


def prove_parser(parser: CompiledParser, check: Check = lambda: None) -> Proof:
    """On faces of half the size and in bfloat16; by what is seen when its mask is used."""
    expected = blends(_checked(parser.in_form(reduced=1, fast=False), check))

    def measured(form: ParserForm) -> Proof:
        fast = parser.in_form(reduced=form.reduced, fast=form.fast)
        values = likenesses_db(expected, blends(_checked(fast, check)))
        passed = form.name if min(values) >= LEAST_BLENDED_DB else None
        return Proof(passed, round(float(np.mean(values)), 2), round(min(values), 2))

    return _first_passed(parser.name, (partial(measured, form) for form in parser_forms()))
