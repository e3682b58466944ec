"""Convolutions in 8 bits: whole numbers, near the exact ones, nearer than plain rounding."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from photoenhance_ui.networks.on_openvino import graphs
from photoenhance_ui.networks.on_openvino.compiled import compiled
from photoenhance_ui.networks.on_openvino.graphs import QuantizedConvolution
from photoenhance_ui.networks.on_openvino.quantization import (
    COLUMNS_AT_ONCE,
    LARGEST,
    _column_by_column,
    quantized,
)
from tests.conftest import skimage_photo

SRVGG_FEATURES = 16


def pictures(count: int = 8) -> list[NDArray[np.uint8]]:
    chance = np.random.default_rng(0)
    photo = skimage_photo("astronaut", 256)
    corners = chance.integers(0, 256 - 32, (count, 2))
    return [photo[top : top + 32, left : left + 32] for top, left in corners]


class Uneven(nn.Module):
    """SRVGGNetCompact with channels of very different ranges, as trained networks have them."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        from photoenhance_ui.networks.on_torch.upscalers import _srvgg

        torch.manual_seed(seed)
        self.network = _srvgg(SRVGG_FEATURES, 4, 4).eval().requires_grad_(False)
        spread = torch.exp(torch.randn(SRVGG_FEATURES))
        for module in self.network.modules():
            if isinstance(module, nn.PReLU):
                nn.init.uniform_(module.weight, -0.2, 0.6)
            if isinstance(module, nn.Conv2d) and module.out_channels == SRVGG_FEATURES:
                module.weight *= 2 * spread[:, None, None, None]

    def weights(self) -> graphs.Weights:
        return {key: value.numpy() for key, value in self.network.state_dict().items()}


def enlarged(weights: graphs.Weights, made: graphs.Quantized | None) -> NDArray[np.float64]:
    graph = graphs.level_graph(graphs.srvgg(4), weights, np.uint16, made)
    answer = compiled(graph).infer(np.stack(pictures(12)[8:]).astype(np.uint16) * 257)[0]
    return np.asarray(answer, np.float64)


def plainly(exact: graphs.Quantized, weights: graphs.Weights) -> dict[str, QuantizedConvolution]:
    """Each weight to its nearest step, each input over its whole range, no channel scaled."""
    made = {}
    for name, fitted in exact.items():
        kernel = weights[f"{name}.weight"]
        steps = np.abs(kernel).max((1, 2, 3)) / LARGEST
        whole = np.rint(kernel / steps[:, None, None, None]).astype(np.int8)
        widest = float(fitted.scales.max()) if name != "body.0" else 1.0
        ends = fitted.low * widest, fitted.high * widest
        bias = weights[f"{name}.bias"]
        made[name] = QuantizedConvolution(
            *ends, np.ones_like(fitted.scales), whole, steps.astype(np.float32), bias
        )
    return made


@pytest.fixture(scope="module")
def network() -> Uneven:
    return Uneven()


@pytest.fixture(scope="module")
def made(network: Uneven) -> graphs.Quantized:
    return quantized(Uneven().network, pictures())


def test_each_convolution_is_there_by_its_name_in_whole_numbers(
    network: Uneven, made: graphs.Quantized
) -> None:
    weights = network.weights()
    assert list(made) == [key[: -len(".weight")] for key, v in weights.items() if v.ndim == 4]
    for name, convolution in made.items():
        kernel = weights[f"{name}.weight"]
        assert convolution.kernel.dtype == np.int8
        assert convolution.kernel.shape == kernel.shape
        assert np.abs(convolution.kernel.astype(int)).max() <= LARGEST
        assert convolution.scales.shape == kernel.shape[1:2]
        assert convolution.steps.shape == convolution.bias.shape == kernel.shape[:1]
        assert (convolution.scales > 0).all()
        assert (convolution.steps > 0).all()


def test_zero_lies_on_a_step_of_every_range(made: graphs.Quantized) -> None:
    """Or the zeros around a picture would be something else."""
    first = made["body.0"]
    assert (first.low, first.high, first.scales.tolist()) == (0.0, 1.0, [1.0, 1.0, 1.0])
    for convolution in made.values():
        assert convolution.low <= 0 < convolution.high
        steps = -convolution.low / ((convolution.high - convolution.low) / 255)
        assert steps == pytest.approx(round(steps), abs=1e-3)


def test_it_is_nearer_than_plain_rounding(network: Uneven, made: graphs.Quantized) -> None:
    weights = network.weights()
    exact = enlarged(weights, None)
    fitted, plain = (
        np.mean((enlarged(weights, ways) - exact) ** 2) for ways in (made, plainly(made, weights))
    )
    assert 0 < fitted < plain / 4, "6 dB"
    assert np.std(exact) > 20 * np.sqrt(fitted), "the picture comes through"


def test_a_column_s_error_is_made_up_for_by_those_after_it() -> None:
    torch.manual_seed(0)
    features, places = COLUMNS_AT_ONCE + 20, 400
    mixed = torch.randn(features, features) * torch.rand(features)
    seen = (mixed @ torch.randn(features, places)).double()  # columns that look alike
    squares = seen @ seen.T / places + 0.01 * torch.eye(features)
    rows = torch.randn(5, features, dtype=torch.float64)
    steps = rows.abs().amax(1) / 7  # coarse, so that rounding counts

    def error(whole: Tensor) -> float:
        return float(((rows - whole * steps[:, None]) @ seen).square().mean())

    whole = _column_by_column(rows, steps, squares)
    assert torch.equal(whole, whole.round())
    assert error(whole) < 0.5 * error((rows / steps[:, None]).round())


def test_columns_at_once_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    seen = torch.randn(70, 200, dtype=torch.float64)
    rows, steps = torch.randn(3, 70, dtype=torch.float64), torch.full((3,), 0.05).double()
    squares = seen @ seen.T
    answer = _column_by_column(rows, steps, squares)
    monkeypatch.setattr("photoenhance_ui.networks.on_openvino.quantization.COLUMNS_AT_ONCE", 1)
    assert torch.equal(answer, _column_by_column(rows, steps, squares))


def test_channels_that_are_always_zero_do_no_harm() -> None:
    uneven = Uneven()
    for module in uneven.network.modules():
        if isinstance(module, nn.Conv2d) and module.out_channels == SRVGG_FEATURES:
            module.weight[3] = 0
    weights = {key: value.copy() for key, value in uneven.weights().items()}
    made = quantized(uneven.network, pictures())
    assert all(np.isfinite(convolution.scales).all() for convolution in made.values())
    error = enlarged(weights, made) - enlarged(weights, None)
    assert np.sqrt(np.mean(error**2)) < 65535 / 50


def test_pictures_without_anything_in_them_do_no_harm() -> None:
    made = quantized(Uneven().network, [np.zeros((32, 32, 3), np.uint8)])
    for convolution in made.values():
        assert np.isfinite(convolution.steps).all()
        assert np.isfinite(convolution.bias).all()
