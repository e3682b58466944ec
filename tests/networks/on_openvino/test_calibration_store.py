"""Calibrations: remembered, believed as they came with the weights, confirmed, given up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from photoenhance_ui.errors import EngineStopped
from photoenhance_ui.networks.on_openvino.calibration import (
    Calibration,
)
from photoenhance_ui.networks.on_openvino.calibration_store import (
    CalibrationStore,
    metadata_of,
    openvino_version,
)
from photoenhance_ui.networks.on_openvino.compiled_networks import (
    CompiledUpscaler,
)
from photoenhance_ui.networks.on_openvino.layers import (
    Quantized,
)
from photoenhance_ui.networks.on_openvino.quantized_files import (
    PARTS,
)
from tests.networks.on_openvino.shipped import coming_with

STORE = "photoenhance_ui.networks.on_openvino.calibration_store"
MEASURED = Calibration("bfloat16", 50.0, 45.0)
TOO_FAR = Calibration(None, 30.0, 20.0)


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Callable[[Calibration | None], list[float]]:
    """Has any upscaler measured to be as it is told, and lists the strengths that were measured."""
    measured: list[float] = []

    def gives(calibration: Calibration | None) -> list[float]:
        def calibrate(_: CompiledUpscaler, denoise: float, __: object) -> Calibration:
            assert calibration is not None, "it was measured before"
            measured.append(denoise)
            return calibration

        monkeypatch.setattr(f"{STORE}.calibrate_upscaler", calibrate)
        return measured

    return gives


Measuring = Callable[[Calibration | None], list[float]]


# What was measured is remembered


def assert_same(one: Calibration, other: Calibration) -> None:
    assert replace(one, quantized={}) == replace(other, quantized={})
    assert list(one.quantized) == list(other.quantized), "in their order"
    for name, convolution in one.quantized.items():
        twin = other.quantized[name]
        assert (convolution.low, convolution.high) == (twin.low, twin.high)
        for part in PARTS:
            values = getattr(twin, part)
            assert np.array_equal(getattr(convolution, part), values)
            assert getattr(convolution, part).dtype == values.dtype


def test_what_was_measured_is_remembered(
    uncalibrated: CompiledUpscaler, in_8_bits: Quantized, tmp_path: Path, measuring: Measuring
) -> None:
    calibration = Calibration("8 bits", 47.0, 39.0, in_8_bits)
    measured = measuring(calibration)
    first = CalibrationStore(tmp_path)
    assert (
        first.of_upscaler(uncalibrated, 0.5) is first.of_upscaler(uncalibrated, 0.5) is calibration
    )
    assert measured == [0.5]
    measuring(None)
    assert_same(CalibrationStore(tmp_path).of_upscaler(uncalibrated, 0.5), calibration)
    # A network that is not blended is the same at every strength of denoising.
    assert_same(CalibrationStore(tmp_path).of_upscaler(uncalibrated, 0.1), calibration)
    (kept,) = CalibrationStore(tmp_path).stored()
    assert_same(kept, calibration)


def kept_with(calibration: str | None, ends: str = "{}") -> bytes:
    return save({}, None if calibration is None else {"proof": calibration, "ends": ends})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no safetensors",
        kept_with(None),
        kept_with("no JSON"),
        kept_with("[]"),
        kept_with('{"mean_db": 50}'),
        kept_with('{"form": "x", "mean_db": 5, "worst_db": 5}', '{"body.0": [0, 1]}'),
        kept_with('{"form": "x", "mean_db": 5, "worst_db": 5}', "3"),
    ],
    ids=["empty", "other", "no record", "no JSON", "list", "parts", "layers", "number"],
)
def test_a_record_that_is_not_whole_is_measured_anew(
    uncalibrated: CompiledUpscaler, tmp_path: Path, content: bytes, measuring: Measuring
) -> None:
    measuring(TOO_FAR)
    CalibrationStore(tmp_path / "calibrations").of_upscaler(uncalibrated, 0.5)
    (kept,) = (tmp_path / "calibrations").glob("*.safetensors")
    kept.write_bytes(content)
    measuring(MEASURED)
    assert CalibrationStore(tmp_path / "calibrations").of_upscaler(uncalibrated, 0.5) == MEASURED
    with safe_open(kept, "np") as file:
        assert '"mean_db": 50.0' in file.metadata()["proof"]


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    uncalibrated: CompiledUpscaler, tmp_path: Path, measuring: Measuring
) -> None:
    measuring(MEASURED)
    (tmp_path / "file").write_text("in the way")
    assert CalibrationStore(tmp_path / "file").of_upscaler(uncalibrated, 0.5) == MEASURED


def test_what_a_benchmark_assumes_is_taken_for_measured(
    uncalibrated: CompiledUpscaler, tmp_path: Path, measuring: Measuring
) -> None:
    measuring(None)
    store = CalibrationStore(tmp_path)
    store.assume(uncalibrated, 0.5, MEASURED)
    assert store.of_upscaler(uncalibrated, 0.5) == MEASURED
    assert CalibrationStore(tmp_path).of_upscaler(uncalibrated, 0.5) == MEASURED


# Calibrations that come with the weights


def metadata_here(calibration: Calibration) -> dict[str, str]:
    return {**metadata_of(calibration), "openvino": openvino_version()}


@pytest.fixture
def shipped(tmp_path: Path, in_8_bits: Quantized) -> CompiledUpscaler:
    """The built-in network with a calibration that could not be measured."""
    (tmp_path / "shipped").mkdir()
    return coming_with(
        tmp_path / "shipped", in_8_bits, metadata_here(Calibration("8 bits", 77.0, 66.0))
    )


def test_a_calibration_that_came_with_the_weights_is_believed_and_not_kept(
    shipped: CompiledUpscaler, in_8_bits: Quantized, tmp_path: Path, measuring: Measuring
) -> None:
    measuring(None)
    calibration = CalibrationStore(tmp_path / "calibrations").of_upscaler(shipped, 0.5)
    assert_same(calibration, Calibration("8 bits", 77.0, 66.0, in_8_bits))
    assert not (tmp_path / "calibrations").exists()


@pytest.mark.parametrize(
    "metadata",
    [
        {"fingerprint": "of others"},
        {"openvino": "2020.1.0"},
        {"proof": "[]"},
        {"proof": '{"form": "8 bits"}'},
    ],
    ids=["other weights", "another OpenVINO", "not whole", "without dB"],
)
def test_it_is_believed_for_the_very_weights_and_version_only(
    metadata: dict[str, str], in_8_bits: Quantized, tmp_path: Path, measuring: Measuring
) -> None:
    measured = measuring(MEASURED)
    calibration = Calibration("8 bits", 77.0, 66.0)
    other = coming_with(tmp_path, in_8_bits, {**metadata_here(calibration), **metadata})
    assert CalibrationStore(tmp_path / "calibrations").of_upscaler(other, 0.5) == MEASURED
    assert measured == [0.5]


def test_it_is_confirmed_by_measuring_once(
    shipped: CompiledUpscaler, tmp_path: Path, measuring: Measuring
) -> None:
    store, confirmed = CalibrationStore(tmp_path), Calibration("8 bits", 47.0, 39.0)
    measured = measuring(confirmed)
    store.of_upscaler(shipped, 0.5)
    assert store.confirm(shipped, 0.5)
    assert store.confirm(shipped, 0.5)
    assert measured == [0.5]
    measuring(None)
    for anyone in (store, CalibrationStore(tmp_path)):
        assert_same(anyone.of_upscaler(shipped, 0.5), confirmed)
        assert anyone.confirm(shipped, 0.5)


@pytest.mark.parametrize("measured", [TOO_FAR, MEASURED], ids=["no form", "another form"])
def test_one_that_is_not_so_here_is_not_used_again(
    shipped: CompiledUpscaler, tmp_path: Path, measured: Calibration, measuring: Measuring
) -> None:
    store = CalibrationStore(tmp_path)
    store.of_upscaler(shipped, 0.5)
    measuring(measured)
    assert not store.confirm(shipped, 0.5)
    measuring(None)
    for anyone in (store, CalibrationStore(tmp_path)):
        assert anyone.of_upscaler(shipped, 0.5) == measured
        assert anyone.confirm(shipped, 0.5)


def test_what_was_measured_here_or_never_asked_for_needs_no_confirming(
    uncalibrated: CompiledUpscaler, shipped: CompiledUpscaler, tmp_path: Path, measuring: Measuring
) -> None:
    store = CalibrationStore(tmp_path)
    measuring(MEASURED)
    store.of_upscaler(uncalibrated, 0.5)
    measuring(None)
    assert store.confirm(uncalibrated, 0.5)
    assert CalibrationStore(tmp_path / "others").confirm(shipped, 0.5)


# Giving up


def test_measuring_is_given_up_and_nothing_is_kept(
    uncalibrated: CompiledUpscaler, tmp_path: Path
) -> None:
    store = CalibrationStore(tmp_path / "calibrations")
    store.stop()
    with pytest.raises(EngineStopped):
        store.of_upscaler(uncalibrated, 0.5)
    assert not (tmp_path / "calibrations").exists()


def test_a_calibration_that_could_not_be_confirmed_any_more_is_still_assumed(
    shipped: CompiledUpscaler, tmp_path: Path
) -> None:
    store = CalibrationStore(tmp_path / "calibrations")
    assumed = store.of_upscaler(shipped, 0.5)
    store.stop()
    with pytest.raises(EngineStopped):
        store.confirm(shipped, 0.5)
    assert store.of_upscaler(shipped, 0.5) is assumed
    assert not (tmp_path / "calibrations").exists()
