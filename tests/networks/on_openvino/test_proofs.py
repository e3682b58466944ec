"""Fast forms: measured against the exact one, remembered, refused where they are too far off."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op
from safetensors import safe_open
from safetensors.numpy import save

from photoenhance_ui.errors import EngineStopped, MemoryExhausted
from photoenhance_ui.networks.likeness import (
    LEAST_MEAN_DB,
    LEAST_WORST_DB,
    crops,
    is_near,
    likeness_db,
)
from photoenhance_ui.networks.on_openvino import compiled, graphs
from photoenhance_ui.networks.on_openvino.backend import compile_upscaler, quantized_beside
from photoenhance_ui.networks.on_openvino.compiled import (
    CompiledParser,
    CompiledRestorer,
    CompiledUpscaler,
    has_bfloat16,
)
from photoenhance_ui.networks.on_openvino.graphs import Quantized
from photoenhance_ui.networks.on_openvino.proofs import (
    KEPT_WIDE,
    Proof,
    Proofs,
    openvino_version,
    prove_parser,
    prove_restorer,
    prove_upscaler,
    told_of,
)
from photoenhance_ui.networks.on_openvino.quantization import (
    PARTS,
    KeptQuantized,
    read_quantized,
    write_quantized,
)
from photoenhance_ui.request import BUILTIN, PRESETS, Request
from photoenhance_ui.weights import BUILTIN_FILE, Installed
from tests.conftest import skimage_photo

PROOFS = "photoenhance_ui.networks.on_openvino.proofs"
MEASURED = Proof("bfloat16", 50.0, 45.0)
TOO_FAR = Proof(None, 30.0, 20.0)


@pytest.fixture(scope="module")
def upscaler() -> CompiledUpscaler:
    found = compile_upscaler(Installed(BUILTIN, BUILTIN_FILE), None)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def in_8_bits() -> Quantized:
    """The convolutions that come with the built-in network."""
    kept = read_quantized(quantized_beside(BUILTIN_FILE))
    assert kept is not None
    return kept.convolutions


@pytest.fixture(scope="module")
def proof(upscaler: CompiledUpscaler) -> Proof:
    return prove_upscaler(upscaler, 0.5)


@pytest.fixture
def few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{PROOFS}.PROOF_CROPS", 3)


def coming_with(folder: Path, convolutions: Quantized, told: dict[str, str]) -> CompiledUpscaler:
    """The built-in network in a file beside which other convolutions in 8 bits lie."""
    path = Path(shutil.copy(BUILTIN_FILE, folder))
    beside = quantized_beside(path)
    beside.parent.mkdir()
    found = compile_upscaler(Installed(BUILTIN, path), None)
    assert found is not None
    write_quantized(beside, KeptQuantized(convolutions, {"fingerprint": found.fingerprint, **told}))
    return found


@pytest.fixture
def unproven(tmp_path: Path, in_8_bits: Quantized) -> CompiledUpscaler:
    """The built-in network as one that came without a proof."""
    (tmp_path / "weights").mkdir()
    return coming_with(tmp_path / "weights", in_8_bits, {})


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Callable[[Proof | None], list[float]]:
    """Has any upscaler measured to be as it is told, and lists the strengths that were measured."""
    measured: list[float] = []

    def gives(proof: Proof | None) -> list[float]:
        def prove(_: CompiledUpscaler, denoise: float, __: object) -> Proof:
            assert proof is not None, "it was measured before"
            measured.append(denoise)
            return proof

        monkeypatch.setattr(f"{PROOFS}.prove_upscaler", prove)
        return measured

    return gives


Measuring = Callable[[Proof | None], list[float]]


# Upscalers


def test_the_built_in_network_passes(proof: Proof) -> None:
    assert proof.passed
    assert proof.mean_db >= LEAST_MEAN_DB
    assert proof.worst_db >= LEAST_WORST_DB


def test_the_fast_form_is_as_near_on_photos_it_was_not_calibrated_on(
    upscaler: CompiledUpscaler, in_8_bits: Quantized
) -> None:
    fast = upscaler.in_fast_form(lambda _: in_8_bits)
    camera = np.repeat(skimage_photo("camera", 96)[:, :, None], 3, axis=2)
    pictures = [camera, np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)]
    _, worst_db = likeness_db(upscaler, fast, 0.0, pictures)
    assert worst_db >= LEAST_WORST_DB
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


def narrowed(convolutions: Quantized) -> dict[str, graphs.QuantizedConvolution]:
    return {
        name: replace(made, low=made.low / 1000, high=made.high / 1000)
        for name, made in convolutions.items()
    }


def test_a_form_that_is_too_coarse_does_not_pass(
    upscaler: CompiledUpscaler, in_8_bits: Quantized
) -> None:
    fast = upscaler.in_fast_form(lambda _: narrowed(in_8_bits))
    mean_db, worst_db = likeness_db(upscaler, fast, 0.0, crops(4, 2))
    assert worst_db < LEAST_WORST_DB
    assert not is_near(mean_db, worst_db)


def test_where_8_bits_all_through_are_too_coarse_the_last_ones_stay_wider(
    tmp_path: Path, in_8_bits: Quantized, few_crops: None
) -> None:
    names = list(in_8_bits)
    spoiled = narrowed(in_8_bits)
    last_spoiled = {**in_8_bits, **{name: spoiled[name] for name in names[-KEPT_WIDE:]}}
    other = prove_upscaler(coming_with(tmp_path, last_spoiled, {}), 0.5)
    assert other.form == f"8 bits, the last {KEPT_WIDE} wider"
    assert list(other.quantized) == names[:-KEPT_WIDE]


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_where_8_bits_are_too_coarse_bfloat16_is_used(
    tmp_path: Path, upscaler: CompiledUpscaler, in_8_bits: Quantized, few_crops: None
) -> None:
    other = prove_upscaler(coming_with(tmp_path, narrowed(in_8_bits), {}), 0.5)
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
    blended = CompiledUpscaler("two", upscaler.scale, graphs.srvgg(4), (weights, weights))
    strengths: list[float] = []
    monkeypatch.setattr(
        f"{PROOFS}.fitted", lambda _, denoise, *__: strengths.append(denoise) or in_8_bits
    )
    assert prove_upscaler(blended, 0.33).form == "bfloat16"
    assert strengths == []
    common = [Request.denoise, PRESETS["old photo"]["denoise"]]
    assert {prove_upscaler(blended, each).form for each in common} == {"8 bits"}
    assert strengths == common


def refusing(answer: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is compiled in a fast form ends as OpenVINO tells of it."""
    plain = compiled.compiled

    def compile_it(graph: ov.Model, *, fast: bool = False) -> ov.InferRequest:
        if fast:
            raise answer
        return plain(graph)

    monkeypatch.setattr(compiled, "compiled", compile_it)


def test_a_form_that_cannot_be_compiled_does_not_pass(
    upscaler: CompiledUpscaler, few_crops: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(RuntimeError("CPU plugin does not support it"), monkeypatch)
    assert prove_upscaler(upscaler, 0.5) == Proof(None, 0.0, 0.0)


def test_where_memory_runs_out_nothing_was_measured(
    unproven: CompiledUpscaler, few_crops: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing(RuntimeError("Failed to allocate 5 bytes of memory"), monkeypatch)
    with pytest.raises(MemoryExhausted):
        Proofs(tmp_path / "proofs").of_upscaler(unproven, 0.5)
    assert not (tmp_path / "proofs").exists()


# What was measured is remembered


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
    unproven: CompiledUpscaler, in_8_bits: Quantized, tmp_path: Path, measuring: Measuring
) -> None:
    proof = Proof("8 bits", 47.0, 39.0, in_8_bits)
    measured = measuring(proof)
    first = Proofs(tmp_path)
    assert first.of_upscaler(unproven, 0.5) is first.of_upscaler(unproven, 0.5) is proof
    assert measured == [0.5]
    measuring(None)
    assert_same(Proofs(tmp_path).of_upscaler(unproven, 0.5), proof)
    # A network that is not blended is the same at every strength of denoising.
    assert_same(Proofs(tmp_path).of_upscaler(unproven, 0.1), proof)
    (kept,) = Proofs(tmp_path).kept()
    assert_same(kept, proof)


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
    unproven: CompiledUpscaler, tmp_path: Path, content: bytes, measuring: Measuring
) -> None:
    measuring(TOO_FAR)
    Proofs(tmp_path / "proofs").of_upscaler(unproven, 0.5)
    (kept,) = (tmp_path / "proofs").glob("*.safetensors")
    kept.write_bytes(content)
    measuring(MEASURED)
    assert Proofs(tmp_path / "proofs").of_upscaler(unproven, 0.5) == MEASURED
    with safe_open(kept, "np") as file:
        assert '"mean_db": 50.0' in file.metadata()["proof"]


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    unproven: CompiledUpscaler, tmp_path: Path, measuring: Measuring
) -> None:
    measuring(MEASURED)
    (tmp_path / "file").write_text("in the way")
    assert Proofs(tmp_path / "file").of_upscaler(unproven, 0.5) == MEASURED


def test_what_a_benchmark_assumes_is_taken_for_measured(
    unproven: CompiledUpscaler, tmp_path: Path, measuring: Measuring
) -> None:
    measuring(None)
    proofs = Proofs(tmp_path)
    proofs.assume(unproven, 0.5, MEASURED)
    assert proofs.of_upscaler(unproven, 0.5) == MEASURED
    assert Proofs(tmp_path).of_upscaler(unproven, 0.5) == MEASURED


# Proofs that come with the weights


def told_here(proof: Proof) -> dict[str, str]:
    return {**told_of(proof), "openvino": openvino_version()}


@pytest.fixture
def shipped(tmp_path: Path, in_8_bits: Quantized) -> CompiledUpscaler:
    """The built-in network with a proof that could not be measured."""
    (tmp_path / "shipped").mkdir()
    return coming_with(tmp_path / "shipped", in_8_bits, told_here(Proof("8 bits", 77.0, 66.0)))


def test_the_built_in_network_comes_with_what_is_measured_of_it(proof: Proof) -> None:
    kept = read_quantized(quantized_beside(BUILTIN_FILE))
    assert kept is not None
    told = json.loads(kept.told["proof"])
    assert told["form"] == proof.form
    assert told["mean_db"] == pytest.approx(proof.mean_db, abs=1)
    assert told["worst_db"] == pytest.approx(proof.worst_db, abs=2)


def test_a_proof_that_came_with_the_weights_is_believed_and_not_kept(
    shipped: CompiledUpscaler, in_8_bits: Quantized, tmp_path: Path, measuring: Measuring
) -> None:
    measuring(None)
    proof = Proofs(tmp_path / "proofs").of_upscaler(shipped, 0.5)
    assert_same(proof, Proof("8 bits", 77.0, 66.0, in_8_bits))
    assert not (tmp_path / "proofs").exists()


@pytest.mark.parametrize(
    "told",
    [
        {"fingerprint": "of others"},
        {"openvino": "2020.1.0"},
        {"proof": "[]"},
        {"proof": '{"form": "8 bits"}'},
    ],
    ids=["other weights", "another OpenVINO", "not whole", "without dB"],
)
def test_it_is_believed_for_the_very_weights_and_version_only(
    told: dict[str, str], in_8_bits: Quantized, tmp_path: Path, measuring: Measuring
) -> None:
    measured = measuring(MEASURED)
    proof = Proof("8 bits", 77.0, 66.0)
    other = coming_with(tmp_path, in_8_bits, {**told_here(proof), **told})
    assert Proofs(tmp_path / "proofs").of_upscaler(other, 0.5) == MEASURED
    assert measured == [0.5]


def test_it_is_confirmed_by_measuring_once(
    shipped: CompiledUpscaler, tmp_path: Path, measuring: Measuring
) -> None:
    proofs, confirmed = Proofs(tmp_path), Proof("8 bits", 47.0, 39.0)
    measured = measuring(confirmed)
    proofs.of_upscaler(shipped, 0.5)
    assert proofs.confirm(shipped, 0.5)
    assert proofs.confirm(shipped, 0.5)
    assert measured == [0.5]
    measuring(None)
    for anyone in (proofs, Proofs(tmp_path)):
        assert_same(anyone.of_upscaler(shipped, 0.5), confirmed)
        assert anyone.confirm(shipped, 0.5)


@pytest.mark.parametrize("measured", [TOO_FAR, MEASURED], ids=["no form", "another form"])
def test_one_that_is_not_so_here_is_not_used_again(
    shipped: CompiledUpscaler, tmp_path: Path, measured: Proof, measuring: Measuring
) -> None:
    proofs = Proofs(tmp_path)
    proofs.of_upscaler(shipped, 0.5)
    measuring(measured)
    assert not proofs.confirm(shipped, 0.5)
    measuring(None)
    for anyone in (proofs, Proofs(tmp_path)):
        assert anyone.of_upscaler(shipped, 0.5) == measured
        assert anyone.confirm(shipped, 0.5)


def test_what_was_measured_here_or_never_asked_for_needs_no_confirming(
    unproven: CompiledUpscaler, shipped: CompiledUpscaler, tmp_path: Path, measuring: Measuring
) -> None:
    proofs = Proofs(tmp_path)
    measuring(MEASURED)
    proofs.of_upscaler(unproven, 0.5)
    measuring(None)
    assert proofs.confirm(unproven, 0.5)
    assert Proofs(tmp_path / "others").confirm(shipped, 0.5)


# Giving up


def test_measuring_is_given_up_and_nothing_is_kept(
    unproven: CompiledUpscaler, tmp_path: Path
) -> None:
    proofs = Proofs(tmp_path / "proofs")
    proofs.stop()
    with pytest.raises(EngineStopped):
        proofs.of_upscaler(unproven, 0.5)
    assert not (tmp_path / "proofs").exists()


def test_a_proof_that_could_not_be_confirmed_any_more_is_still_assumed(
    shipped: CompiledUpscaler, tmp_path: Path
) -> None:
    proofs = Proofs(tmp_path / "proofs")
    assumed = proofs.of_upscaler(shipped, 0.5)
    proofs.stop()
    with pytest.raises(EngineStopped):
        proofs.confirm(shipped, 0.5)
    assert proofs.of_upscaler(shipped, 0.5) is assumed
    assert not (tmp_path / "proofs").exists()


def stopping_at(call: int) -> Callable[[], None]:
    calls = iter(range(1, call + 1))

    def check() -> None:
        if next(calls) == call:
            raise EngineStopped("Closed.")

    return check


@pytest.mark.parametrize("call", [1, 5])
def test_each_picture_is_an_occasion_to_give_up(upscaler: CompiledUpscaler, call: int) -> None:
    with pytest.raises(EngineStopped):
        prove_upscaler(upscaler, 0.5, stopping_at(call))


def test_fitting_is_given_up_too(upscaler: CompiledUpscaler) -> None:
    alone = CompiledUpscaler("alone", 4, graphs.srvgg(4), (upscaler.weights(0.0),))
    with pytest.raises(EngineStopped):
        prove_upscaler(alone, 0.5, stopping_at(3))


# Faces


def as_it_is(_: graphs.Weights, depth: graphs.Depth) -> ov.Model:
    return graphs.level_graph(graphs.Network(lambda _, picture: picture), {}, depth)


def bright_is_face(_: graphs.Weights, depth: graphs.Depth, reduced: int) -> ov.Model:
    """Where the picture is bright; looked at in squares of some pixels."""
    levels, picture = graphs.picture_of_levels(depth)
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
    assert prove_restorer(RESTORER) == Proof("bfloat16", 99.0, 99.0)


def test_without_bfloat16_a_restorer_has_no_fast_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{PROOFS}.has_bfloat16", lambda: False)
    assert prove_restorer(RESTORER) == Proof(None, 0.0, 0.0)


@pytest.mark.parametrize("kind", ["restorer", "parser"])
def test_what_was_measured_of_a_face_network_is_remembered(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network: Any = RESTORER if kind == "restorer" else CompiledParser("p", dict, bright_is_face)
    monkeypatch.setattr(f"{PROOFS}.prove_{kind}", lambda *_: MEASURED)
    assert getattr(Proofs(tmp_path), f"of_{kind}")(network) == MEASURED
    monkeypatch.setattr(f"{PROOFS}.prove_{kind}", lambda *_: TOO_FAR)
    assert getattr(Proofs(tmp_path), f"of_{kind}")(network) == MEASURED


@pytest.mark.parametrize("call", [1, 4, 5, 8])
def test_measuring_faces_is_given_up_too(call: int) -> None:
    parser = CompiledParser("parser", dict, bright_is_face)
    with pytest.raises(EngineStopped):
        prove_parser(parser, stopping_at(call))
    if has_bfloat16():
        with pytest.raises(EngineStopped):
            prove_restorer(RESTORER, stopping_at(call))
