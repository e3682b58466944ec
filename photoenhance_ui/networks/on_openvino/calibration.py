"""The fastest form of a network that is near enough to its exact one, found by measuring.

How near a form is depends on the weights and on the processor, so it is measured on the machine
where both are, on pictures that every machine has. Forms are tried fastest first; the first that is
near enough is used. Where a form has 8 bits, they are fitted to other pictures before.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from photoenhance_ui.catalogue import logged_name
from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.networks.calibration_pictures import Picture, crops, faces
from photoenhance_ui.networks.foreign_errors import errors_told
from photoenhance_ui.networks.on_openvino.compilation import has_bfloat16
from photoenhance_ui.networks.on_openvino.compiled_networks import (
    CompiledParser,
    CompiledRestorer,
    CompiledUpscaler,
)
from photoenhance_ui.networks.on_openvino.layers import Quantized
from photoenhance_ui.networks.on_openvino.quantization import quantized
from photoenhance_ui.networks.on_openvino.quantized_files import QuantizedFile, read_quantized
from photoenhance_ui.networks.on_openvino.whole_sums import largest_weight
from photoenhance_ui.networks.similarity import (
    MIN_BLENDED_DB,
    blends,
    is_near,
    psnr_to_db,
    psnrs_db,
    restored_faces,
)
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import FACE_PX, Upscaler
from photoenhance_ui.request import PRESETS, Request

log = logging.getLogger(__name__)

CALIBRATION_CROPS, VALIDATION_CROPS = 48, 16
"""How many crops 8 bits are fitted to, and how many others a form is measured on."""
CALIBRATION_PX = 64
COMMON_STRENGTHS = {Request.denoise, *(p["denoise"] for p in PRESETS.values() if "denoise" in p)}
"""The strengths of denoising for which fitting pays, as they are used again and again, each with
weights of its own. For others bfloat16 is there in a fifth of the time."""
COSTLY_OPERATIONS = 2e6
"""Multiply-adds a pixel from which crops for fitting are half as wide, or it takes minutes."""
KEPT_WIDE = 2
"""How many of the last convolutions stay wider where 8 bits all through are too coarse: no later
convolution makes up for what these lose."""

Check = Callable[[], None]
"""Raises where measuring is to be given up."""


@dataclass(frozen=True)
class Calibration:
    """How near the fastest form that may be used is to the exact one."""

    form: str | None
    """The form's name. None: none is near enough, and the figures are those of the last one."""
    mean_db: float
    worst_db: float
    quantized: Quantized = field(default_factory=dict)
    """The convolutions that are computed in 8 bits."""

    @property
    def passed(self) -> bool:
        """Whether there is a form that may be used."""
        return self.form is not None


# Upscalers


def calibrate_upscaler(
    upscaler: CompiledUpscaler, denoise: float, check: Check = lambda: None
) -> Calibration:
    """Measure an upscaler in 8 bits, and then, or at once for rare strengths, in bfloat16.

    8 bits are fitted to some crops and measured on others.
    Raises NetworkFailed where even the exact form gives no picture, and whatever ``check`` raises,
    which is called now and then.
    """
    pictures = crops(VALIDATION_CROPS, 2)
    # The exact graph is gone before the others are compiled.
    expected = _enlarged(_checked(upscaler.in_exact_form(), check), denoise, pictures)

    def measured(form: str, convolutions: Quantized) -> Calibration:
        fast = _checked(upscaler.in_fast_form(lambda _: convolutions), check)
        mean_db, worst_db = psnr_to_db(expected, lambda picture: fast(picture, denoise), pictures)
        passed = form if is_near(mean_db, worst_db) else None
        return Calibration(passed, round(mean_db, 2), round(worst_db, 2), convolutions)

    forms = _upscaler_forms(upscaler, denoise, check)
    return _first_passed(upscaler.name, (partial(measured, *form) for form in forms))


def _enlarged(upscaler: Upscaler, denoise: float, pictures: Sequence[Picture]) -> list[Pixels]:
    return [upscaler(picture[None], denoise) for picture in pictures]


def _first_passed(network: str, forms: Iterable[Callable[[], Calibration]]) -> Calibration:
    """Measure forms up to the first that passes; where none does, give what the last one had.

    A form that fails does not pass. Where memory runs out, nothing was measured: MemoryExhausted.
    """
    calibration = Calibration(None, 0.0, 0.0)
    for measure in forms:
        try:
            with errors_told(network):
                calibration = measure()
        except NetworkFailed as error:
            reason = type(error.__cause__).__name__
            log.warning("fast_form_failed name=%s reason=%s", logged_name(network), reason)
            calibration = Calibration(None, 0.0, 0.0)
        if calibration.passed:
            break
    return calibration


def _checked(network: Callable[..., Any], check: Check) -> Any:
    """The network, made to call ``check`` each time before it computes."""

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
    """The convolutions in 8 bits that came with the weights, or those fitted now."""
    kept = quantized_of(upscaler)
    if kept is not None:
        return kept.convolutions
    return fitted(upscaler, denoise, largest_weight(), check)


def quantized_of(upscaler: CompiledUpscaler) -> QuantizedFile | None:
    """The convolutions in 8 bits that came with these very weights."""
    if upscaler.quantized_file is None:
        return None
    kept = read_quantized(upscaler.quantized_file)
    is_its_own = kept is not None and kept.metadata.get("fingerprint") == upscaler.fingerprint
    return kept if is_its_own else None


def fitted(
    upscaler: CompiledUpscaler, denoise: float, largest: int, check: Check = lambda: None
) -> Quantized:
    """All convolutions in 8 bits, fitted to other crops than those that a form is measured on.

    ``largest`` is the largest of their whole weights.
    """
    is_costly = upscaler.operations_per_pixel > COSTLY_OPERATIONS
    pictures = crops(CALIBRATION_CROPS, 1, CALIBRATION_PX // (2 if is_costly else 1))
    return quantized(upscaler.exact_graph(denoise), pictures, largest, check)


# Faces


@dataclass(frozen=True)
class ParserForm:
    """A form of a parser: on faces made ``reduced`` times smaller, exact or in bfloat16."""

    reduced: int
    fast: bool

    @property
    def name(self) -> str:
        """The form's name in a calibration."""
        return f"{'bfloat16' if self.fast else 'exact'}, faces {FACE_PX // self.reduced} px"


def parser_forms() -> list[ParserForm]:
    """The forms of parsers, fastest first; the exact one is not among them."""
    forms = [ParserForm(2, True), ParserForm(1, True)] if has_bfloat16() else []
    return [*forms, ParserForm(2, False)]


def calibrate_restorer(restorer: CompiledRestorer, check: Check = lambda: None) -> Calibration:
    """Measure a restorer in bfloat16, on a face in several states."""
    if not has_bfloat16():
        return Calibration(None, 0.0, 0.0)
    # One after the other: each graph takes a gigabyte, and this one is gone before the next.
    expected = restored_faces(_checked(restorer.in_form(fast=False), check))

    def measured() -> Calibration:
        mean_db, worst_db = psnr_to_db(
            expected, _checked(restorer.in_form(fast=True), check), faces()
        )
        form = "bfloat16" if is_near(mean_db, worst_db) else None
        return Calibration(form, round(mean_db, 2), round(worst_db, 2))

    return _first_passed(restorer.name, [measured])


def calibrate_parser(parser: CompiledParser, check: Check = lambda: None) -> Calibration:
    """Measure a parser's forms by what is seen when their masks are used."""
    expected = blends(_checked(parser.in_form(reduced=1, fast=False), check))

    def measured(form: ParserForm) -> Calibration:
        fast = parser.in_form(reduced=form.reduced, fast=form.fast)
        values = psnrs_db(expected, blends(_checked(fast, check)))
        passed = form.name if min(values) >= MIN_BLENDED_DB else None
        return Calibration(passed, round(float(np.mean(values)), 2), round(min(values), 2))

    return _first_passed(parser.name, (partial(measured, form) for form in parser_forms()))
