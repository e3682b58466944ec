"""How a network's convolutions are rounded to 8 bits so that its result stays near.

Convolutions are taken one after the other while pictures run through the network twice, exactly and
with everything rounded so far. Each one's channels are first brought to like ranges (as in
SmoothQuant, Xiao et al., 2023), then its weights are fitted in least squares to give of the rounded
input what the exact ones give of the exact input, and rounded column by column, each error made up
for by the columns that follow (OPTQ, Frantar et al., 2023).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor, nn

from photoenhance_ui.networks.on_openvino.graphs import (
    INPUT_LEVELS,
    WEIGHT_LEVELS,
    Quantized,
    QuantizedConvolution,
)

INPUTS_SHARE = 0.7
"""Of evening out channels: 1 gives all inputs one range, 0 all weights."""
RARE = 5e-5  # share of a channel's values that its range need not hold
CLIPPINGS = np.linspace(0.25, 1.0, 16)  # shares of the range that are tried
VALUES_KEPT = 150_000  # of each convolution's input: enough for its distribution
STRIDE_PX = 3  # between the places of a picture whose errors are made small
DAMPING = 0.6  # of the mean square of inputs, so that what is rarely seen changes little
COLUMNS_AT_ONCE = 64  # whose errors reach the columns after them in one product: only for speed
LARGEST = WEIGHT_LEVELS // 2
PARTS = "scales", "kernel", "steps", "bias"
"""Arrays of a convolution, as they are kept in a file."""

Picture = NDArray[np.uint8]


@torch.inference_mode()
def quantized(network: nn.Module, pictures: Sequence[Picture]) -> Quantized:
    """Every convolution of ``network`` in 8 bits; ``pictures`` are (H, W, 3), all of one size.

    The network takes (N, 3, H, W) in 0..1 and is of no other use afterwards.
    """
    made: dict[str, QuantizedConvolution] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.forward = partial(_fitting, name, module, made)  # type: ignore[method-assign]
    floats = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    network(torch.cat([floats, floats]))
    return made


def _fitting(
    name: str, convolution: nn.Conv2d, made: dict[str, QuantizedConvolution], inputs: Tensor
) -> Tensor:
    """Both answers: the exact one to the first half, the rounded one to the second."""
    exact, rough = inputs.chunk(2)
    answer = convolution._conv_forward(exact, convolution.weight, convolution.bias)
    if made:
        scales = _scales(exact, convolution.weight)
        exact, rough = (half / scales[:, None, None] for half in (exact, rough))
        low, high = _best_range(rough)
    else:  # the picture's own levels are told apart as they are
        scales, low, high = torch.ones(exact.shape[1]), 0.0, 1.0
    rounded = _rounded(rough, low, high)
    weight = convolution.weight * scales[:, None, None]
    kernel, steps, bias = _fitted(weight, convolution.bias, exact, rounded)
    made[name] = QuantizedConvolution(
        low, high, scales.numpy(), kernel.numpy().astype(np.int8), steps.numpy(), bias.numpy()
    )
    worth = kernel * steps[:, None, None, None]
    return torch.cat([answer, convolution._conv_forward(rounded, worth, bias)])


def _scales(inputs: Tensor, weight: Tensor) -> Tensor:
    """By what each channel is divided: (C,), their geometric mean 1."""
    values = inputs[:, :, ::2, ::2].abs().transpose(0, 1).flatten(1)
    ranges = values.topk(max(1, int(RARE * values.shape[1])), dim=1).values[:, -1].clamp_min(1e-6)
    weights = weight.abs().amax((0, 2, 3)).clamp_min(1e-6)
    scales = ranges.log() * INPUTS_SHARE - weights.log() * (1 - INPUTS_SHARE)
    return (scales - scales.mean()).exp()


def _best_range(inputs: Tensor) -> tuple[float, float]:
    """Ends, with 0 on a step, between which rounding and cutting off cost least in squares."""
    values = inputs.flatten()
    lowest, highest = min(0.0, float(values.min())), max(0.0, float(values.max()), 1e-6)
    some = values[:: max(1, values.numel() // VALUES_KEPT)]
    tried = []
    for share in CLIPPINGS:
        step = (highest - lowest) * share / (INPUT_LEVELS - 1)
        low = -float(np.round(-lowest * share / step)) * step
        high = low + step * (INPUT_LEVELS - 1)
        error = float((_rounded(some, low, high) - some).square().mean())
        tried.append((error, low, high))
    _, low, high = min(tried)
    return low, high


def _rounded(values: Tensor, low: float, high: float) -> Tensor:
    step = (high - low) / (INPUT_LEVELS - 1)
    return ((values.clamp(low, high) - low) / step).round_() * step + low


def _fitted(
    weight: Tensor, bias: Tensor | None, exact: Tensor, rounded: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Whole weights (O, C, h, w) in -127..127, their steps (O,), and the bias (O,)."""
    of_exact, of_rounded = (_patches(x, weight.shape[-1]) for x in (exact, rounded))
    mean_exact, mean_rounded = of_exact.mean(1), of_rounded.mean(1)
    of_exact, of_rounded = of_exact - mean_exact[:, None], of_rounded - mean_rounded[:, None]
    count = of_rounded.shape[1]
    squares = (of_rounded @ of_rounded.T / count).double()
    across = (of_exact @ of_rounded.T / count).double()
    rows = weight.flatten(1).double()
    damping = DAMPING * squares.diagonal().mean().clamp_min(1e-12)
    squares.diagonal().add_(damping)
    across.diagonal().add_(damping)
    best = torch.cholesky_solve((rows @ across).T, torch.linalg.cholesky(squares)).T
    steps = best.abs().amax(1).clamp_min(1e-8) / LARGEST
    whole = _column_by_column(best, steps, squares)
    worth = whole * steps[:, None]
    moved = rows @ mean_exact.double() - worth @ mean_rounded.double()
    moved = moved if bias is None else moved + bias
    return whole.view_as(weight).float(), steps.float(), moved.float()


def _patches(x: Tensor, side: int) -> Tensor:
    """What a kernel sees at some places: (C * side * side, places)."""
    seen = x.unfold(2, side, STRIDE_PX).unfold(3, side, STRIDE_PX)  # (N, C, rows, columns, h, w)
    return seen.permute(1, 4, 5, 0, 2, 3).reshape(x.shape[1] * side**2, -1)


def _column_by_column(rows: Tensor, steps: Tensor, squares: Tensor) -> Tensor:
    """Rounded to whole steps; what a column loses, those after it make up for."""
    order = squares.diagonal().argsort(descending=True)
    passed_on = _inverse_root(squares[order][:, order]).numpy()
    left, step = rows[:, order].T.contiguous().numpy(), steps.numpy()
    whole, errors = np.empty_like(left), np.empty_like(left)
    for begin in range(0, len(left), COLUMNS_AT_ONCE):
        end = min(begin + COLUMNS_AT_ONCE, len(left))
        for column in range(begin, end):
            whole[column] = np.clip(np.rint(left[column] / step), -LARGEST, LARGEST)
            errors[column] = (left[column] - whole[column] * step) / passed_on[column, column]
            left[column + 1 : end] -= passed_on[column, column + 1 : end, None] * errors[column]
        left[end:] -= passed_on[begin:end, end:].T @ errors[begin:end]
    answer = torch.empty_like(rows)
    answer[:, order] = torch.from_numpy(whole).T
    return answer


def _inverse_root(squares: Tensor) -> Tensor:
    """The upper triangle U with U^T U the inverse of ``squares``."""
    # From the last row to the first, so that the factor of squares = root root^T is upper.
    root = torch.linalg.cholesky(squares.flip(0, 1)).flip(0, 1)
    one = torch.eye(len(squares), dtype=squares.dtype)
    return torch.linalg.solve_triangular(root, one, upper=True)


# Files


@dataclass(frozen=True)
class KeptQuantized:
    """Convolutions in 8 bits as a file holds them, and what it tells besides."""

    convolutions: Quantized
    told: Mapping[str, str]


def read_quantized(path: Path) -> KeptQuantized | None:
    """What ``write_quantized`` wrote; None where it is not there or not whole."""
    try:
        with safe_open(path, "np") as file:
            told: dict[str, str] = file.metadata()
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        convolutions = {
            name: QuantizedConvolution(low, high, *(arrays[f"{name}/{part}"] for part in PARTS))
            for name, (low, high) in json.loads(told["ends"]).items()
        }
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return KeptQuantized(convolutions, told)


def write_quantized(path: Path, kept: KeptQuantized) -> None:
    """One file, whole or not at all. Raises OSError and SafetensorError."""
    ends = {name: (made.low, made.high) for name, made in kept.convolutions.items()}
    arrays = {
        f"{name}/{part}": getattr(made, part)
        for name, made in kept.convolutions.items()
        for part in PARTS
    }
    unfinished = path.with_name(f"{path.name}.part")
    save_file(arrays, unfinished, {**kept.told, "ends": json.dumps(ends)})
    unfinished.chmod(0o644)  # safetensors writes for the owner alone
    unfinished.replace(path)
