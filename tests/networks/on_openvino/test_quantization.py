"""Convolutions in 8 bits: whole numbers, near the exact ones, nearer than plain rounding."""

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray

from photoenhance_ui.networks.on_openvino.compilation import compile_graph
from photoenhance_ui.networks.on_openvino.layers import Quantized, QuantizedConvolution, Weights
from photoenhance_ui.networks.on_openvino.quantization import (
    COLUMNS_AT_ONCE,
    column_by_column,
    inverse_root,
    quantized,
)
from photoenhance_ui.networks.on_openvino.rrdb_graph import rrdb
from photoenhance_ui.networks.on_openvino.srvgg_graph import srvgg
from photoenhance_ui.networks.on_openvino.upscaler_graph import upscaler_graph
from photoenhance_ui.networks.on_openvino.whole_sums import (
    MAX_WEIGHT,
    MAX_WEIGHT_IN_PAIRS,
    adds_exactly,
    largest_weight,
)
from photoenhance_ui.networks.shapes import rrdb_shapes, srvgg_shapes
from testing.photos import skimage_photo

FEATURES = 16


def pictures(count: int = 8) -> list[NDArray[np.uint8]]:
    chance = np.random.default_rng(0)
    photo = skimage_photo("astronaut", 256)
    corners = chance.integers(0, 256 - 32, (count, 2))
    return [photo[top : top + 32, left : left + 32] for top, left in corners]


def uneven(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """SRVGGNetCompact with channels of very different ranges, as trained networks have them."""
    chance = np.random.default_rng(seed)
    spread = np.exp(chance.normal(size=FEATURES))
    weights = {}
    for name, shape in srvgg_shapes(FEATURES, 4, 4).items():
        most = np.prod(shape[1:]) ** -0.5 if len(shape) == 4 else 0.1
        values = chance.uniform(-most, most, shape)
        if len(shape) == 1 and name.endswith(".weight"):  # the leak of a PReLU
            values = chance.uniform(-0.2, 0.6, shape)
        if len(shape) == 4 and shape[0] == FEATURES:
            values *= 2 * spread[:, None, None, None]
        weights[name] = values.astype(np.float32)
    return weights


def graph_of(weights: Weights) -> ov.Model:
    return upscaler_graph(srvgg(4), weights, np.uint8)


def enlarged(weights: Weights, made: Quantized | None) -> NDArray[np.float64]:
    graph = upscaler_graph(srvgg(4), weights, np.uint16, made)
    answer = compile_graph(graph).infer(np.stack(pictures(12)[8:]).astype(np.uint16) * 257)[0]
    return np.asarray(answer, np.float64)


def plainly(exact: Quantized, weights: Weights) -> dict[str, QuantizedConvolution]:
    """Each weight to its nearest step, each input over its whole range, no channel scaled."""
    made = {}
    for name, fitted in exact.items():
        kernel = weights[f"{name}.weight"]
        steps = np.abs(kernel).max((1, 2, 3)) / largest_weight()
        whole = np.rint(kernel / steps[:, None, None, None]).astype(np.int8)
        widest = float(fitted.scales.max()) if name != "body.0" else 1.0
        ends = fitted.low * widest, fitted.high * widest
        bias = weights[f"{name}.bias"]
        made[name] = QuantizedConvolution(
            *ends, np.ones_like(fitted.scales), whole, steps.astype(np.float32), bias
        )
    return made


@pytest.fixture(scope="module")
def weights() -> Weights:
    return uneven()


@pytest.fixture(scope="module")
def made(weights: Weights) -> Quantized:
    return quantized(graph_of(weights), pictures(), largest_weight())


def test_each_convolution_is_there_by_its_name_in_whole_numbers(
    weights: Weights, made: Quantized
) -> None:
    assert list(made) == [key[: -len(".weight")] for key, v in weights.items() if v.ndim == 4]
    for name, convolution in made.items():
        kernel = weights[f"{name}.weight"]
        assert convolution.kernel.dtype == np.int8
        assert convolution.kernel.shape == kernel.shape
        assert np.abs(convolution.kernel.astype(int)).max() <= MAX_WEIGHT
        assert convolution.scales.shape == kernel.shape[1:2]
        assert convolution.steps.shape == convolution.bias.shape == kernel.shape[:1]
        assert (convolution.scales > 0).all()
        assert (convolution.steps > 0).all()


def test_zero_lies_on_a_step_of_every_range(made: Quantized) -> None:
    """Or the zeros around a picture would be something else."""
    first = made["body.0"]
    assert (first.low, first.high, first.scales.tolist()) == (0.0, 1.0, [1.0, 1.0, 1.0])
    for convolution in made.values():
        assert convolution.low <= 0 < convolution.high
        steps = -convolution.low / ((convolution.high - convolution.low) / 255)
        assert steps == pytest.approx(round(steps), abs=1e-3)


def test_it_is_nearer_than_plain_rounding(weights: Weights, made: Quantized) -> None:
    exact = enlarged(weights, None)
    fitted, plain = (
        np.mean((enlarged(weights, ways) - exact) ** 2) for ways in (made, plainly(made, weights))
    )
    assert 0 < fitted < plain / 4, "6 dB"
    assert np.std(exact) > 20 * np.sqrt(fitted), "the picture comes through"


def test_weights_are_at_most_as_large_as_asked_for(weights: Weights) -> None:
    made = quantized(graph_of(weights), pictures(), MAX_WEIGHT_IN_PAIRS)
    for convolution in made.values():
        assert np.abs(convolution.kernel.astype(int)).max() == MAX_WEIGHT_IN_PAIRS


def test_any_processor_adds_up_products_of_small_weights_as_they_are() -> None:
    """And of what it is given where nothing is said of small ones."""
    assert adds_exactly(MAX_WEIGHT_IN_PAIRS)
    assert adds_exactly(largest_weight())


def test_portions_of_pictures_change_little(
    weights: Weights, made: Quantized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{quantized.__module__}.PICTURES_AT_ONCE", 3)
    other = quantized(graph_of(weights), pictures(), largest_weight())
    first, again = made["body.0"], other["body.0"]
    assert np.mean(first.kernel == again.kernel) > 0.99
    # Later ones make up for what was rounded before, so that one that went the other way shows.
    exact = enlarged(weights, None)
    errors = [np.mean((enlarged(weights, ways) - exact) ** 2) for ways in (made, other)]
    assert max(errors) < 1.3 * min(errors), "1 dB"


def test_the_inverse_root_is_one() -> None:
    seen = np.random.default_rng(0).normal(size=(20, 60))
    root = inverse_root(seen @ seen.T)
    assert np.array_equal(root, np.triu(root))
    assert root.T @ root == pytest.approx(np.linalg.inv(seen @ seen.T), abs=1e-9)


def test_a_column_s_error_is_made_up_for_by_those_after_it() -> None:
    chance = np.random.default_rng(0)
    features, places = COLUMNS_AT_ONCE + 20, 400
    mixed = chance.normal(size=(features, features)) * chance.random(features)
    seen = mixed @ chance.normal(size=(features, places))  # columns that look alike
    root = inverse_root(seen @ seen.T / places + 0.01 * np.eye(features))
    rows = chance.normal(size=(5, features))
    steps = np.abs(rows).max(1) / 7  # coarse, so that rounding counts

    def error(whole: NDArray[np.float64]) -> float:
        return float(np.mean(((rows - whole * steps[:, None]) @ seen) ** 2))

    whole = column_by_column(rows, steps, root)
    assert np.array_equal(whole, np.rint(whole))
    assert error(whole) < 0.5 * error(np.rint(rows / steps[:, None]))


def test_columns_at_once_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(1)
    seen = chance.normal(size=(70, 200))
    rows, steps = chance.normal(size=(3, 70)), np.full(3, 0.05)
    root = inverse_root(seen @ seen.T)
    answer = column_by_column(rows, steps, root)
    monkeypatch.setattr(f"{quantized.__module__}.COLUMNS_AT_ONCE", 1)
    assert np.array_equal(answer, column_by_column(rows, steps, root))


def test_channels_that_are_always_zero_do_no_harm() -> None:
    weights = uneven()
    for name, kernel in weights.items():
        if kernel.ndim == 4 and len(kernel) == FEATURES:
            kernel[3] = 0
            weights[name.replace("weight", "bias")][3] = 0
    made = quantized(graph_of(weights), pictures(), largest_weight())
    assert all(np.isfinite(convolution.scales).all() for convolution in made.values())
    error = enlarged(weights, made) - enlarged(weights, None)
    assert np.sqrt(np.mean(error**2)) < 65535 / 50


def test_pictures_without_anything_in_them_do_no_harm(weights: Weights) -> None:
    made = quantized(graph_of(weights), [np.zeros((32, 32, 3), np.uint8)], largest_weight())
    for convolution in made.values():
        assert np.isfinite(convolution.steps).all()
        assert np.isfinite(convolution.bias).all()


def test_networks_with_branches_are_fitted_too() -> None:
    """In the order of their convolutions, each near to what it stands for."""
    chance = np.random.default_rng(0)
    weights = {
        name: chance.normal(0, 0.5 * np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)
        for name, shape in rrdb_shapes(1, 2).items()
    }
    graph = upscaler_graph(rrdb(2), weights, np.uint8)
    some = [picture[:16, :16] for picture in pictures(2)]
    made = quantized(graph, some, largest_weight())
    assert list(made) == [key[: -len(".weight")] for key in weights if key.endswith(".weight")]
    exact, fast = (
        compile_graph(upscaler_graph(rrdb(2), weights, np.uint16, ways)).infer(
            np.stack(some).astype(np.uint16) * 257
        )[0]
        for ways in ({}, made)
    )
    error = exact.astype(float) - fast
    assert np.std(exact) > 20 * np.std(error) > 0
