"""The graphs give what torch gives for the same weights; only what compares with it needs torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset13 as op

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.networks.on_openvino.compilation import compile_graph
from photoenhance_ui.networks.on_openvino.layers import (
    Depth,
    Quantized,
    QuantizedConvolution,
)
from photoenhance_ui.networks.on_openvino.levels import total_of
from photoenhance_ui.networks.on_openvino.rrdb_graph import rrdb
from photoenhance_ui.networks.on_openvino.srvgg_graph import srvgg
from photoenhance_ui.networks.on_openvino.upscaler_graph import UpscalerLayers, upscaler_graph
from photoenhance_ui.networks.on_openvino.whole_sums import MAX_WEIGHT_IN_PAIRS
from tests.networks.random_weights import Weights, random_rrdb, random_srvgg

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass(frozen=True, eq=False)
class Case:
    """A network's weights, its graph, and what torch builds of them."""

    architecture: Architecture
    weights: Weights
    graph: UpscalerLayers

    def module(self) -> Any:
        pytest.importorskip("torch")
        from photoenhance_ui.networks.on_torch.architectures import UPSCALERS, module_of

        network = module_of(UPSCALERS[self.architecture], self.weights, Path("any.pth"))
        return network.eval().requires_grad_(False)


SRVGG = Case(Architecture.SRVGG, random_srvgg(16, 3, 4), srvgg(4))
CASES = {
    "srvgg": SRVGG,
    "rrdb x4": Case(Architecture.RRDB, random_rrdb(2, 4), rrdb(4)),
    "rrdb x2": Case(Architecture.RRDB, random_rrdb(2, 2), rrdb(2)),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def picture(height: int, width: int, depth: Depth, count: int = 1) -> NDArray[Any]:
    chance = np.random.default_rng(0)
    return chance.integers(0, np.iinfo(depth).max + 1, (count, height, width, 3), dtype=depth)


def by_torch(network: Any, levels: NDArray[Any]) -> NDArray[np.float64]:
    import torch

    white = np.iinfo(levels.dtype).max
    floats = torch.from_numpy(levels.astype(np.float32) / white).permute(0, 3, 1, 2)
    output = network(floats).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    return np.asarray(output * float(white), np.float64)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_levels_are_those_of_torch(case: Case, depth: Depth) -> None:
    network = case.module()
    request = compile_graph(upscaler_graph(case.graph, case.weights, depth))
    for height, width in ((12, 18), (2, 2), (30, 8)):  # one graph takes any size
        levels = picture(height, width, depth, count=2)
        enlarged = request.infer(levels)[0]
        assert enlarged.dtype == depth
        expected = by_torch(network, levels)
        assert enlarged.shape == expected.shape
        near = 0.5 + np.iinfo(depth).max * 2e-5  # rounding, and 32-bit floats
        assert np.abs(enlarged - expected).max() <= near
        assert expected.std() > 0.02 * np.iinfo(depth).max, "the picture comes through"


def test_values_that_are_no_numbers_show_in_the_sum(case: Case) -> None:
    weights, graph = dict(case.weights), case.graph
    levels = picture(8, 8, np.uint8)
    good = compile_graph(upscaler_graph(graph, weights, np.uint8)).infer(levels)
    assert np.isfinite(good[1])
    name = next(iter(weights))
    weights[name] = weights[name] * np.float32(np.nan)
    bad = compile_graph(upscaler_graph(graph, weights, np.uint8)).infer(levels)
    assert not np.isfinite(bad[1])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [1, 3, 8, 17])
def test_a_single_value_that_is_none_shows_in_the_total(value: float, side: int) -> None:
    given = op.parameter([-1, 12, -1, -1], np.float32)
    request = compile_graph(ov.Model([total_of(given.output(0))], [given]))
    values = np.ones((2, 12, side, side), np.float32)
    assert np.isfinite(request.infer(values)[0])
    for place in ((0, 0, 0, 0), (1, 11, side - 1, side - 1)):
        bad = values.copy()
        bad[place] = value
        assert not np.isfinite(request.infer(bad)[0])


def in_8_bits(weights: Weights, ends: tuple[float, float]) -> Quantized:
    """Every convolution between these ends, its channels scaled apart."""
    chance = np.random.default_rng(0)
    made = {}
    for key, kernel in weights.items():
        if kernel.ndim == 4:
            name = key.removesuffix(".weight")
            scales = np.exp(chance.normal(0, 0.3, kernel.shape[1])).astype(np.float32)
            scaled = kernel * scales[:, None, None]
            steps = np.abs(scaled).max((1, 2, 3)) / MAX_WEIGHT_IN_PAIRS  # as any processor adds up
            whole = np.rint(scaled / steps[:, None, None, None]).astype(np.int8)
            bias = weights[f"{name}.bias"] + np.float32(0.01)
            made[name] = QuantizedConvolution(*ends, scales, whole, steps, bias)
    return made


def by_whole_numbers(network: Any, made: Quantized, levels: NDArray[Any]) -> NDArray[np.float64]:
    """What torch gives where each convolution takes and holds whole numbers only."""
    import torch
    from torch import nn

    def in_place(convolution: nn.Conv2d, of: QuantizedConvolution) -> Any:
        def answer(x: torch.Tensor) -> torch.Tensor:
            step = (of.high - of.low) / 255
            scaled = (x / torch.from_numpy(of.scales)[:, None, None]).clamp(of.low, of.high)
            rounded = ((scaled - of.low) / step).round() * step + of.low
            kernel = torch.from_numpy(of.kernel * of.steps[:, None, None, None])
            bias, padding = torch.from_numpy(of.bias), convolution.padding
            return nn.functional.conv2d(rounded, kernel, bias, padding=padding)

        return answer

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.forward = in_place(module, made[name])  # type: ignore[method-assign]
    return by_torch(network, levels)


def test_in_8_bits_the_result_is_that_of_whole_numbers() -> None:
    network, graph, weights = SRVGG.module(), SRVGG.graph, SRVGG.weights
    levels = picture(16, 16, np.uint8)
    exact = compile_graph(upscaler_graph(graph, weights, np.uint8)).infer(levels)[0]
    none = compile_graph(upscaler_graph(graph, weights, np.uint8, {})).infer(levels)[0]
    assert np.array_equal(exact, none)
    made = in_8_bits(weights, (-100 / 64, 155 / 64))
    coarse = compile_graph(upscaler_graph(graph, weights, np.uint8, made)).infer(levels)[0]
    expected = by_whole_numbers(network, made, levels)
    # A value halfway between two steps may be rounded either way, and moves later ones a little.
    assert np.abs(coarse - expected).mean() < 0.5
    assert np.abs(coarse.astype(int) - exact).mean() > 0.5, "it is not the exact one"


def test_a_range_cuts_off_what_lies_outside() -> None:
    weights, graph = SRVGG.weights, SRVGG.graph
    levels = np.full((1, 8, 8, 3), 255, np.uint8)
    made = in_8_bits(weights, (0.0, 0.25))  # a white picture is seen as a dark one
    narrow = {"body.0": made["body.0"]}
    dark = compile_graph(upscaler_graph(graph, weights, np.uint8, narrow)).infer(levels)[0]
    exact = compile_graph(upscaler_graph(graph, weights, np.uint8)).infer(levels)[0]
    assert np.abs(dark.astype(int) - exact).max() > 5
