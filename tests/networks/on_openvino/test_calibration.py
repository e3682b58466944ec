"""Fast forms: measured against the exact one, and refused where they are too far off."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from photoenhance_ui.errors import EngineStopped, MemoryExhausted
from photoenhance_ui.networks.calibration_pictures import crops
from photoenhance_ui.networks.on_openvino import compilation
from photoenhance_ui.networks.on_openvino.calibration import (
    KEPT_WIDE,
    Calibration,
    calibrate_parser,
    calibrate_restorer,
    calibrate_upscaler,
)
from photoenhance_ui.networks.on_openvino.calibration_store import (
    CalibrationStore,
)
from photoenhance_ui.networks.on_openvino.compilation import has_bfloat16
from photoenhance_ui.networks.on_openvino.compiled_networks import (
    CompiledParser,
    CompiledRestorer,
    CompiledUpscaler,
)
from photoenhance_ui.networks.on_openvino.layers import (
    Depth,
    Quantized,
    QuantizedConvolution,
    Weights,
)
from photoenhance_ui.networks.on_openvino.levels import picture_of_levels
from photoenhance_ui.networks.on_openvino.loading import quantized_beside
from photoenhance_ui.networks.on_openvino.quantized_files import (
    read_quantized,
)
from photoenhance_ui.networks.on_openvino.srvgg_graph import srvgg
from photoenhance_ui.networks.on_openvino.upscaler_graph import UpscalerLayers, upscaler_graph
from photoenhance_ui.networks.similarity import MIN_MEAN_DB, MIN_WORST_DB, is_near, upscaler_psnr_db
from photoenhance_ui.request import PRESETS, Request
from photoenhance_ui.weights.inventory import BUILTIN_FILE
from testing.photos import skimage_photo
from tests.networks.on_openvino.shipped import coming_with

CALIBRATION = "photoenhance_ui.networks.on_openvino.calibration"
STORE = "photoenhance_ui.networks.on_openvino.calibration_store"
MEASURED = Calibration("bfloat16", 50.0, 45.0)
TOO_FAR = Calibration(None, 30.0, 20.0)


@pytest.fixture(scope="module")
def calibration(upscaler: CompiledUpscaler) -> Calibration:
    return calibrate_upscaler(upscaler, 0.5)


@pytest.fixture
def few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CALIBRATION}.VALIDATION_CROPS", 3)


# Upscalers


def test_the_built_in_network_passes(calibration: Calibration) -> None:
    assert calibration.passed
    assert calibration.mean_db >= MIN_MEAN_DB
    assert calibration.worst_db >= MIN_WORST_DB


def test_the_fast_form_is_as_near_on_photos_it_was_not_calibrated_on(
    upscaler: CompiledUpscaler, in_8_bits: Quantized
) -> None:
    fast = upscaler.in_fast_form(lambda _: in_8_bits)
    camera = np.repeat(skimage_photo("camera", 96)[:, :, None], 3, axis=2)
    pictures = [camera, np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)]
    _, worst_db = upscaler_psnr_db(upscaler, fast, 0.0, pictures)
    assert worst_db >= MIN_WORST_DB
    assert not np.array_equal(fast(camera[None], 0.0), upscaler(camera[None], 0.0)), "it is 8-bit"


def test_the_fast_form_keeps_levels_between_those_of_8_bits(
    upscaler: CompiledUpscaler, in_8_bits: Quantized
) -> None:
    fast = upscaler.in_fast_form(lambda _: in_8_bits)
    ramp = np.arange(96 * 96, dtype=np.uint16).reshape(96, 96) // 36 + 30_000  # one level of 8 bits
    deep = np.repeat(ramp[None, :, :, None], 3, axis=3)
    enlarged = fast(deep, 0.0)
    assert enlarged.dtype == np.uint16
    assert np.ptp(enlarged[0, 64:-64].mean(axis=(1, 2))) > 100, "the ramp is lost"
    assert np.abs(enlarged.astype(float) - upscaler(deep, 0.0)).max() < 257 * 4


def narrowed(convolutions: Quantized) -> dict[str, QuantizedConvolution]:
    return {
        name: replace(made, low=made.low / 1000, high=made.high / 1000)
        for name, made in convolutions.items()
    }


def test_a_form_that_is_too_coarse_does_not_pass(
    upscaler: CompiledUpscaler, in_8_bits: Quantized
) -> None:
    fast = upscaler.in_fast_form(lambda _: narrowed(in_8_bits))
    mean_db, worst_db = upscaler_psnr_db(upscaler, fast, 0.0, crops(4, 2))
    assert worst_db < MIN_WORST_DB
    assert not is_near(mean_db, worst_db)


def test_where_8_bits_all_through_are_too_coarse_the_last_ones_stay_wider(
    tmp_path: Path, in_8_bits: Quantized, few_crops: None
) -> None:
    names = list(in_8_bits)
    spoiled = narrowed(in_8_bits)
    last_spoiled = {**in_8_bits, **{name: spoiled[name] for name in names[-KEPT_WIDE:]}}
    other = calibrate_upscaler(coming_with(tmp_path, last_spoiled, {}), 0.5)
    assert other.form == f"8 bits, the last {KEPT_WIDE} wider"
    assert list(other.quantized) == names[:-KEPT_WIDE]


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_where_8_bits_are_too_coarse_bfloat16_is_used(
    tmp_path: Path, upscaler: CompiledUpscaler, in_8_bits: Quantized, few_crops: None
) -> None:
    other = calibrate_upscaler(coming_with(tmp_path, narrowed(in_8_bits), {}), 0.5)
    assert (other.form, other.quantized) == ("bfloat16", {})
    assert other.worst_db > 50
    deep = skimage_photo("coffee", 96)[None].astype(np.uint16) * 257
    fast = upscaler.in_fast_form(lambda _: {})
    error = fast(deep, 0.0).astype(float) - upscaler(deep, 0.0)
    assert 0 < np.sqrt(np.mean(error**2)) < 65535 / 300  # more than 50 dB


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_strengths_of_denoising_that_are_rarely_used_are_not_worth_fitting(
    upscaler: CompiledUpscaler, in_8_bits: Quantized, few_crops: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    weights = upscaler.weights(0.0)
    blended = CompiledUpscaler("two", upscaler.scale, srvgg(4), (weights, weights))
    strengths: list[float] = []
    monkeypatch.setattr(
        f"{CALIBRATION}.fitted", lambda _, denoise, *__: strengths.append(denoise) or in_8_bits
    )
    assert calibrate_upscaler(blended, 0.33).form == "bfloat16"
    assert strengths == []
    common = [Request.denoise, PRESETS["old photo"]["denoise"]]
    assert {calibrate_upscaler(blended, each).form for each in common} == {"8 bits"}
    assert strengths == common


def refusing(answer: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is compiled in a fast form ends as OpenVINO tells of it."""
    plain = compilation.compile_graph

    def compile_it(graph: ov.Model, *, fast: bool = False) -> ov.InferRequest:
        if fast:
            raise answer
        return plain(graph)

    monkeypatch.setattr(compilation, "compile_graph", compile_it)


def test_a_form_that_cannot_be_compiled_does_not_pass(
    upscaler: CompiledUpscaler, few_crops: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(RuntimeError("CPU plugin does not support it"), monkeypatch)
    assert calibrate_upscaler(upscaler, 0.5) == Calibration(None, 0.0, 0.0)


def test_where_memory_runs_out_nothing_was_measured(
    uncalibrated: CompiledUpscaler, few_crops: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing(RuntimeError("Failed to allocate 5 bytes of memory"), monkeypatch)
    with pytest.raises(MemoryExhausted):
        CalibrationStore(tmp_path / "calibrations").of_upscaler(uncalibrated, 0.5)
    assert not (tmp_path / "calibrations").exists()


def test_the_built_in_network_comes_with_what_is_measured_of_it(calibration: Calibration) -> None:
    kept = read_quantized(quantized_beside(BUILTIN_FILE))
    assert kept is not None
    shipped = json.loads(kept.metadata["proof"])
    assert shipped["form"] == calibration.form
    assert shipped["mean_db"] == pytest.approx(calibration.mean_db, abs=1)
    assert shipped["worst_db"] == pytest.approx(calibration.worst_db, abs=2)


# Giving up


def stopping_at(call: int) -> Callable[[], None]:
    calls = iter(range(1, call + 1))

    def check() -> None:
        if next(calls) == call:
            raise EngineStopped("Closed.")

    return check


@pytest.mark.parametrize("call", [1, 5])
def test_each_picture_is_an_occasion_to_give_up(upscaler: CompiledUpscaler, call: int) -> None:
    with pytest.raises(EngineStopped):
        calibrate_upscaler(upscaler, 0.5, stopping_at(call))


def test_fitting_is_given_up_too(upscaler: CompiledUpscaler) -> None:
    alone = CompiledUpscaler("alone", 4, srvgg(4), (upscaler.weights(0.0),))
    with pytest.raises(EngineStopped):
        calibrate_upscaler(alone, 0.5, stopping_at(3))


# Faces


def as_it_is(_: Weights, depth: Depth) -> ov.Model:
    return upscaler_graph(UpscalerLayers(lambda _, picture: picture), {}, depth)


def bright_is_face(_: Weights, depth: Depth, reduced: int) -> ov.Model:
    """Where the picture is bright; looked at in squares of some pixels."""
    levels, picture = picture_of_levels(depth)
    side = [reduced] * 2
    small = op.avg_pool(picture, side, [0, 0], [0, 0], side, True)
    bright = op.reduce_mean(op.convert(op.greater(small, np.float32(0.5)), "f32"), np.array([1]))
    is_face = op.convert(op.greater(bright, np.float32(0.5)), "u8")
    mask = op.multiply(is_face, np.uint8(255))
    large = mask.output(0)
    for axis in (1, 2):
        large = op.gather(large, np.repeat(np.arange(512 // reduced), reduced), axis).output(0)
    return ov.Model([large], [levels])


RESTORER = CompiledRestorer("restorer", dict, as_it_is)


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_a_restorer_that_loses_nothing_restores_in_bfloat16() -> None:
    assert calibrate_restorer(RESTORER) == Calibration("bfloat16", 99.0, 99.0)


def test_without_bfloat16_a_restorer_has_no_fast_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CALIBRATION}.has_bfloat16", lambda: False)
    assert calibrate_restorer(RESTORER) == Calibration(None, 0.0, 0.0)


@pytest.mark.parametrize("kind", ["restorer", "parser"])
def test_what_was_measured_of_a_face_network_is_remembered(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network: Any = RESTORER if kind == "restorer" else CompiledParser("p", dict, bright_is_face)
    monkeypatch.setattr(f"{STORE}.calibrate_{kind}", lambda *_: MEASURED)
    assert getattr(CalibrationStore(tmp_path), f"of_{kind}")(network) == MEASURED
    monkeypatch.setattr(f"{STORE}.calibrate_{kind}", lambda *_: TOO_FAR)
    assert getattr(CalibrationStore(tmp_path), f"of_{kind}")(network) == MEASURED


@pytest.mark.parametrize("call", [1, 4, 5, 8])
def test_measuring_faces_is_given_up_too(call: int) -> None:
    parser = CompiledParser("parser", dict, bright_is_face)
    with pytest.raises(EngineStopped):
        calibrate_parser(parser, stopping_at(call))
    if has_bfloat16():
        with pytest.raises(EngineStopped):
            calibrate_restorer(RESTORER, stopping_at(call))
