"""Fast forms: measured against the exact one, remembered, refused where they are too far off."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from photoenhance_ui.errors import MemoryExhausted, NetworkFailed
from photoenhance_ui.networks.on_openvino import compiled, graphs
from photoenhance_ui.networks.on_openvino.compiled import CompiledUpscaler, has_bfloat16
from photoenhance_ui.networks.on_openvino.graphs import Quantized
from photoenhance_ui.networks.on_openvino.proofs import (
    KEPT_WIDE,
    LEAST_MEAN_DB,
    LEAST_WORST_DB,
    PROOF_PX,
    Proof,
    Proofs,
    crops,
    is_near,
    likeness_db,
    prove_upscaler,
)
from photoenhance_ui.networks.on_openvino.quantization import PARTS
from photoenhance_ui.networks.on_torch.upscalers import compile_upscaler
from photoenhance_ui.photo import Pixels
from photoenhance_ui.request import PRESETS, Request
from photoenhance_ui.weights import BUILTIN, BUILTIN_FILE, Installed
from tests.conftest import skimage_photo


@pytest.fixture(scope="module")
def upscaler() -> CompiledUpscaler:
    found = compile_upscaler(Installed(BUILTIN, BUILTIN_FILE), None)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proofs")


@pytest.fixture(scope="module")
def proof(upscaler: CompiledUpscaler, folder: Path) -> Proof:
    return Proofs(folder).of_upscaler(upscaler, 0.5)


def test_the_built_in_network_passes(proof: Proof) -> None:
    assert proof.passed
    assert proof.mean_db >= LEAST_MEAN_DB
    assert proof.worst_db >= LEAST_WORST_DB


def test_the_fast_form_is_as_near_on_photos_it_was_not_calibrated_on(
    upscaler: CompiledUpscaler, proof: Proof
) -> None:
    fast = upscaler.in_fast_form(lambda _: proof.quantized)
    camera = np.repeat(skimage_photo("camera", 96)[:, :, None], 3, axis=2)
    pictures = [camera, np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)]
    _, worst_db = likeness_db(upscaler, fast, 0.0, pictures)
    assert worst_db >= LEAST_WORST_DB
    assert not np.array_equal(fast(camera[None], 0.0), upscaler(camera[None], 0.0)), "it is 8-bit"


def test_the_fast_form_keeps_levels_between_those_of_8_bits(
    upscaler: CompiledUpscaler, proof: Proof
) -> None:
    fast = upscaler.in_fast_form(lambda _: proof.quantized)
    ramp = np.arange(96 * 96, dtype=np.uint16).reshape(96, 96) // 36 + 30_000  # one level of 8 bits
    deep = np.repeat(ramp[None, :, :, None], 3, axis=3)
    enlarged = fast(deep, 0.0)
    assert enlarged.dtype == np.uint16
    assert np.ptp(enlarged[0, 64:-64].mean(axis=(1, 2))) > 100, "the ramp is lost"
    assert np.abs(enlarged.astype(float) - upscaler(deep, 0.0)).max() < 257 * 4


def assert_same(one: Proof, other: Proof) -> None:
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
    upscaler: CompiledUpscaler, proof: Proof, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Proof:
        raise AssertionError("it was measured before")

    monkeypatch.setattr("photoenhance_ui.networks.on_openvino.proofs.prove_upscaler", fails)
    assert_same(Proofs(folder).of_upscaler(upscaler, 0.5), proof)
    # A network that is not blended is the same at every strength of denoising.
    assert_same(Proofs(folder).of_upscaler(upscaler, 0.1), proof)


def kept_with(proof: str | None, ends: str = "{}") -> bytes:
    return save({}, None if proof is None else {"proof": proof, "ends": ends})


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
)
def test_a_record_that_is_not_whole_is_measured_anew(
    upscaler: CompiledUpscaler, folder: Path, tmp_path: Path, content: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    measured = Proof("bfloat16", 50.0, 45.0)
    monkeypatch.setattr(
        "photoenhance_ui.networks.on_openvino.proofs.prove_upscaler", lambda *_: measured
    )
    (kept,) = folder.glob("*.safetensors")
    broken = tmp_path / kept.name
    broken.write_bytes(content)
    assert Proofs(tmp_path).of_upscaler(upscaler, 0.5) == measured
    with safe_open(broken, "np") as file:
        assert '"mean_db": 50.0' in file.metadata()["proof"]


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    upscaler: CompiledUpscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Proof("8 bits", 50.0, 45.0)
    monkeypatch.setattr(
        "photoenhance_ui.networks.on_openvino.proofs.prove_upscaler", lambda *_: measured
    )
    (tmp_path / "file").write_text("in the way")
    assert Proofs(tmp_path / "file").of_upscaler(upscaler, 0.5) == measured


def narrowed(proof: Proof) -> Quantized:
    return {
        name: replace(made, low=made.low / 1000, high=made.high / 1000)
        for name, made in proof.quantized.items()
    }


def test_a_form_that_is_too_coarse_does_not_pass(upscaler: CompiledUpscaler, proof: Proof) -> None:
    fast = upscaler.in_fast_form(lambda _: narrowed(proof))
    mean_db, worst_db = likeness_db(upscaler, fast, 0.0, crops(4, 2))
    assert worst_db < LEAST_WORST_DB
    assert not is_near(mean_db, worst_db)


def test_where_8_bits_all_through_are_too_coarse_the_last_ones_stay_wider(
    upscaler: CompiledUpscaler, proof: Proof, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = list(proof.quantized)
    spoiled = dict(proof.quantized) | {name: narrowed(proof)[name] for name in names[-KEPT_WIDE:]}
    monkeypatch.setattr(
        "photoenhance_ui.networks.on_openvino.proofs.kept_or_fitted", lambda *_: spoiled
    )
    other = prove_upscaler(upscaler, 0.5)
    assert other.form == f"8 bits, the last {KEPT_WIDE} wider"
    assert list(other.quantized) == names[:-KEPT_WIDE]
    assert other.mean_db > proof.mean_db


def test_a_form_that_gives_no_picture_does_not_pass_and_fails_nothing(
    upscaler: CompiledUpscaler,
) -> None:
    def fast(images: Pixels, denoise: float) -> Pixels:
        raise NetworkFailed("No picture.")

    assert likeness_db(upscaler, fast, 0.0, crops(1, 2)) == (0, 0)  # type: ignore[arg-type]


def refusing(answer: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is compiled in a fast form ends as OpenVINO tells of it."""
    plain = compiled.compiled

    def compile_it(graph: ov.Model, *, fast: bool = False) -> ov.InferRequest:
        if fast:
            raise answer
        return plain(graph)

    monkeypatch.setattr(compiled, "compiled", compile_it)


def test_a_form_that_cannot_be_compiled_does_not_pass(
    upscaler: CompiledUpscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(RuntimeError("CPU plugin does not support it"), monkeypatch)
    assert prove_upscaler(upscaler, 0.5) == Proof(None, 0.0, 0.0)


def test_where_memory_runs_out_nothing_was_measured(
    upscaler: CompiledUpscaler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing(RuntimeError("Failed to allocate 5 bytes of memory"), monkeypatch)
    with pytest.raises(MemoryExhausted):
        Proofs(tmp_path).of_upscaler(upscaler, 0.5)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_where_8_bits_are_too_coarse_bfloat16_is_used(
    upscaler: CompiledUpscaler, proof: Proof, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = narrowed(proof)
    monkeypatch.setattr(
        "photoenhance_ui.networks.on_openvino.proofs.kept_or_fitted", lambda *_: narrow
    )
    other = prove_upscaler(upscaler, 0.5)
    assert (other.form, other.quantized) == ("bfloat16", {})
    assert other.worst_db > 50
    deep = skimage_photo("coffee", 96)[None].astype(np.uint16) * 257
    fast = upscaler.in_fast_form(lambda _: {})
    error = fast(deep, 0.0).astype(float) - upscaler(deep, 0.0)
    assert 0 < np.sqrt(np.mean(error**2)) < 65535 / 300  # more than 50 dB


@pytest.mark.parametrize(
    ("mean_db", "worst_db", "passed"),
    [
        (LEAST_MEAN_DB, LEAST_WORST_DB, True),
        (LEAST_MEAN_DB - 0.1, 60, False),
        (60, LEAST_WORST_DB - 0.1, False),
    ],
)
def test_the_gate_is_at_its_limits(mean_db: float, worst_db: float, passed: bool) -> None:
    assert is_near(mean_db, worst_db) is passed


def test_crops_are_the_same_by_seed_and_differ_by_it() -> None:
    first, again, other = crops(5, 1), crops(5, 1), crops(5, 2)
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not any(np.array_equal(one, two) for one, two in zip(first, other, strict=True))
    assert {crop.shape for crop in first} == {(PROOF_PX, PROOF_PX, 3)}


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_strengths_of_denoising_that_are_rarely_used_are_not_worth_fitting(
    upscaler: CompiledUpscaler, proof: Proof, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = upscaler.weights(0.0)
    blended = CompiledUpscaler("two", 4, graphs.srvgg(4), (weights, weights))
    fitted = []
    monkeypatch.setattr(
        "photoenhance_ui.networks.on_openvino.proofs.kept_or_fitted",
        lambda _, denoise: fitted.append(denoise) or proof.quantized,
    )
    assert prove_upscaler(blended, 0.33).form == "bfloat16"
    assert fitted == []
    assert prove_upscaler(blended, Request.denoise).form == "8 bits"
    assert prove_upscaler(blended, PRESETS["old photo"]["denoise"]).form == "8 bits"
    assert fitted == [0.5, 0.8]
