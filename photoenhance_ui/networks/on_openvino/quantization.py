"""How a network's convolutions are rounded to 8 bits so that its result stays near.

Convolutions are taken one after the other while pictures run through the network twice, exactly and
with everything rounded so far. Each one's channels are first brought to like ranges (as in
SmoothQuant, Xiao et al., 2023), then its weights are fitted in least squares to give of the rounded
input what the exact ones give of the exact input, and rounded column by column, each error made up
for by the columns that follow (OPTQ, Frantar et al., 2023).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import openvino as ov
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.compilation import compile_graph
from photoenhance_ui.networks.on_openvino.layers import (
    INPUT_LEVELS,
    Quantized,
    QuantizedConvolution,
    convolved,
)
from photoenhance_ui.networks.on_openvino.pieces import Array, Piece, Run, answer_of, cut
from photoenhance_ui.networks.on_openvino.whole_sums import MAX_WEIGHT

INPUTS_SHARE = 0.7
"""How channels are evened out: 1 gives all inputs one range, 0 gives all weights one."""
RARE = 5e-5  # share of a channel's values that its range need not hold
CLIPPINGS = np.linspace(0.25, 1.0, 16)  # shares of the range that are tried
VALUES_KEPT = 150_000  # of each convolution's input: enough for its distribution
STRIDE_PX = 3  # between the places of a picture whose errors are made small
DAMPING = 0.6  # of the mean square of inputs, so that what is rarely seen changes little
PICTURES_AT_ONCE = 8  # that are computed together: memory that was just used is used again
COLUMNS_AT_ONCE = 64  # whose errors reach the columns after them in one product: only for speed

Picture = NDArray[np.uint8]
Portions = Sequence[Array]
"""Values (N, C, H, W) of some pictures, and those of the next."""
Wide = NDArray[np.float64]
Convolve = Callable[[Array, Array, Array], Array]
"""Values (N, C, H, W), a kernel (O, C, h, w) and a bias (O,) -> (N, O, H, W)."""


def quantized(
    graph: ov.Model,
    pictures: Sequence[Picture],
    largest: int,
    check: Callable[[], None] = lambda: None,
) -> Quantized:
    """Every convolution of ``graph`` in 8 bits, by its name, with weights up to ``largest``.

    The graph takes whole levels (N, H, W, 3) of any size, and is of no other use afterwards;
    ``pictures`` are (H, W, 3), all of one size. ``check`` is called now and then; what it raises
    ends the work.
    """
    begins = range(0, len(pictures), PICTURES_AT_ONCE)
    levels = [np.stack(pictures[begin : begin + PICTURES_AT_ONCE]) for begin in begins]
    pieces = cut(graph)
    exact, rough = Run(pieces, levels), Run(pieces, levels)
    convolve_for = cache(_convolve)  # few kernels differ in shape
    made: dict[str, QuantizedConvolution] = {}
    for piece in pieces:
        check()
        convolve = convolve_for(piece.kernel.shape)
        made[piece.name] = _fitting(piece, convolve, exact, rough, largest, is_first=not made)
    return made


def _fitting(
    piece: Piece, convolve: Convolve, exact: Run, rough: Run, largest: int, *, is_first: bool
) -> QuantizedConvolution:
    """The convolution in 8 bits, with which the rough run goes on; the exact one does without."""
    before = compile_graph(piece.before)
    as_is, taken = exact.taken(piece, before), rough.taken(piece, before)
    fitted, rounded = fitted_convolution(
        piece.kernel, piece.bias, as_is, taken, is_first=is_first, largest=largest
    )
    del taken
    exact.answer(piece, [convolve(x, piece.kernel, piece.bias) for x in as_is])
    del as_is
    worth = fitted.kernel * fitted.steps[:, None, None, None]
    rough.answer(piece, [convolve(x, worth, fitted.bias) for x in rounded])
    return fitted


def _convolve(kernel_shape: tuple[int, ...]) -> Convolve:
    """Compile a convolution for all kernels of a shape, which are given to it as values are."""
    outputs, inputs = kernel_shape[:2]
    values = op.parameter([-1, inputs, -1, -1], np.float32)
    kernel = op.parameter(kernel_shape, np.float32)
    bias = op.parameter([1, outputs, 1, 1], np.float32)
    answer = op.add(convolved(values.output(0), kernel.output(0)), bias)
    request = compile_graph(ov.Model([answer], [values, kernel, bias]))
    return lambda x, kernel, bias: answer_of(request, (x, kernel, bias.reshape(1, -1, 1, 1)))


def fitted_convolution(
    kernel: Array,
    bias: Array,
    exact: Portions,
    rough: Portions,
    *,
    is_first: bool,
    largest: int,
) -> tuple[QuantizedConvolution, Portions]:
    """A convolution in 8 bits, and what it then takes in place of ``rough``.

    ``kernel`` (O, C, h, w) and ``bias`` (O,) are those in 32 bits; ``exact`` is what reaches them
    where nothing is rounded, ``rough`` where all before is. The first convolution of a network
    tells its picture's own levels apart, as they are. ``largest`` is that of whole weights.
    """
    if is_first:
        scales, low, high = np.ones(kernel.shape[1], np.float32), 0.0, 1.0
    else:
        scales = _scales(exact, kernel)
        low, high = _best_range(rough, scales)
    rounded = [_rounded(x, low, high, scales[:, None, None]) for x in rough]
    whole, steps, moved = _fitted(kernel, bias, scales, exact, rounded, largest=largest)
    return QuantizedConvolution(low, high, scales, whole, steps, moved), rounded


def _scales(inputs: Portions, kernel: Array) -> Array:
    """What each channel is divided by, (C,); the geometric mean is 1."""
    some = np.concatenate([np.abs(x[:, :, ::2, ::2]) for x in inputs])
    values = some.swapaxes(0, 1).reshape(some.shape[1], -1)
    nth = values.shape[1] - max(1, int(RARE * values.shape[1]))
    ranges = np.maximum(np.partition(values, nth, axis=1)[:, nth], 1e-6)
    weights = np.maximum(np.abs(kernel).max((0, 2, 3)), 1e-6)
    scales = np.log(ranges) * INPUTS_SHARE - np.log(weights) * (1 - INPUTS_SHARE)
    answer: Array = np.exp(scales - scales.mean())
    return answer


def _best_range(inputs: Portions, scales: Array) -> tuple[float, float]:
    """The ends of a range, with 0 on a step, in which rounding and clipping cost least in squares.

    They are for ``inputs`` (N, C, H, W) once each channel is divided by its scale.
    """
    lowest = min(0.0, *(float((x.min((0, 2, 3)) / scales).min()) for x in inputs))
    highest = max(1e-6, *(float((x.max((0, 2, 3)) / scales).max()) for x in inputs))
    every = max(1, sum(x.size for x in inputs) // VALUES_KEPT)
    some, begin = [], 0
    for x in inputs:
        some.append(_some_divided(x, scales, slice(-begin % every, None, every)))
        begin += x.size
    values = np.concatenate(some)
    tried = []
    for share in CLIPPINGS:
        step = (highest - lowest) * share / (INPUT_LEVELS - 1)
        low = -float(np.round(-lowest * share / step)) * step
        high = low + step * (INPUT_LEVELS - 1)
        error = float(np.square(_rounded(values, low, high) - values).mean())
        tried.append((error, low, high))
    _, low, high = min(tried)
    return low, high


def _some_divided(x: Array, scales: Array, some: slice) -> Array:
    """Some of the values (N, C, H, W), taken as one row, each divided by its channel's scale."""
    channels = np.arange(x.size)[some] // (x.shape[2] * x.shape[3]) % x.shape[1]
    answer: Array = x.reshape(-1)[some] / scales[channels]
    return answer


def _rounded(values: Array, low: float, high: float, scales: Array | float = 1.0) -> Array:
    """Divide values by their scales and round them to the nearest step, counted from 0."""
    step = (high - low) / (INPUT_LEVELS - 1)
    divisors: Array = np.asarray(scales * step, np.float32)
    whole: Array = values / divisors
    np.rint(whole, out=whole)
    np.clip(whole, round(low / step), round(high / step), out=whole)
    whole *= np.float32(step)
    return whole


def _fitted(
    kernel: Array, bias: Array, scales: Array, exact: Portions, rounded: Portions, *, largest: int
) -> tuple[NDArray[np.int8], Array, Array]:
    """Whole weights (O, C, h, w) in -largest..largest, their steps (O,), and the bias (O,).

    ``exact`` is what ``kernel`` takes, ``rounded`` the same divided by ``scales`` and rounded.
    """
    seen = _seen(exact, rounded, kernel.shape[-1])
    rows = kernel.reshape(len(kernel), -1).astype(np.float64)
    scaled = (kernel * scales[:, None, None]).reshape(rows.shape)
    damping = DAMPING * max(float(seen.squares.diagonal().mean()), 1e-12)
    wanted = rows @ seen.across + damping * scaled
    order = np.argsort(-seen.squares.diagonal(), kind="stable")
    squares = seen.squares[np.ix_(order, order)] + damping * np.eye(len(order))
    root = inverse_root(squares)
    best = wanted[:, order] @ root.T @ root
    steps = np.maximum(np.abs(best).max(1), 1e-8) / largest
    whole = np.empty_like(rows)
    whole[:, order] = column_by_column(best, steps, root, largest)
    moved = bias + rows @ seen.mean_exact - (whole * steps[:, None]) @ seen.mean_rounded
    in_place = whole.reshape(kernel.shape).astype(np.int8)
    return in_place, steps.astype(np.float32), moved.astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a kernel sees at many places, C * h * w values at each: means, and mean products.

    Products are those of distances from the means, of rounded values by rounded ones
    (``squares``) and of exact values by rounded ones (``across``).
    """

    mean_exact: Wide
    mean_rounded: Wide
    squares: Wide
    across: Wide


def _seen(exact: Portions, rounded: Portions, side: int) -> _Seen:
    # The first portion's means are near enough to those of all that products of 32 bits lose
    # nothing; what is left between both is put right at the end.
    near_exact, near_rounded = (_patches(x[0], side).mean(1)[:, None] for x in (exact, rounded))
    places, features = 0, len(near_exact)
    off_exact, off_rounded = np.zeros(features), np.zeros(features)
    squares, across = np.zeros((features, features)), np.zeros((features, features))
    for one, other in zip(exact, rounded, strict=True):
        of_exact, of_rounded = _patches(one, side), _patches(other, side)
        of_exact -= near_exact
        of_rounded -= near_rounded
        places += of_exact.shape[1]
        off_exact += of_exact.sum(1)
        off_rounded += of_rounded.sum(1)
        squares += of_rounded @ of_rounded.T
        across += of_exact @ of_rounded.T
    off_exact, off_rounded = off_exact / places, off_rounded / places
    return _Seen(
        near_exact[:, 0] + off_exact,
        near_rounded[:, 0] + off_rounded,
        squares / places - np.outer(off_rounded, off_rounded),
        across / places - np.outer(off_exact, off_rounded),
    )


def _patches(x: Array, side: int) -> Array:
    """What a kernel sees at some places: (C * side * side, places)."""
    seen = sliding_window_view(x, (side, side), (2, 3))[:, :, ::STRIDE_PX, ::STRIDE_PX]
    return seen.transpose(1, 4, 5, 0, 2, 3).reshape(x.shape[1] * side**2, -1)


def column_by_column(rows: Wide, steps: Wide, root: Wide, largest: int = MAX_WEIGHT) -> Wide:
    """Round to ``largest`` whole steps at most; what a column loses, those after it make up for.

    ``rows`` (O, I) are what each output weighs its inputs with, ``steps`` (O,), and ``root`` (I, I)
    the ``inverse_root`` of the inputs' mean products.
    """
    left = np.ascontiguousarray(rows.T)
    whole, errors = np.empty_like(left), np.empty_like(left)
    for begin in range(0, len(left), COLUMNS_AT_ONCE):
        end = min(begin + COLUMNS_AT_ONCE, len(left))
        for column in range(begin, end):
            whole[column] = np.clip(np.rint(left[column] / steps), -largest, largest)
            errors[column] = (left[column] - whole[column] * steps) / root[column, column]
            left[column + 1 : end] -= root[column, column + 1 : end, None] * errors[column]
        left[end:] -= root[begin:end, end:].T @ errors[begin:end]
    return whole.T


def inverse_root(squares: Wide) -> Wide:
    """The upper triangle U with U^T U the inverse of ``squares``."""
    from scipy.linalg import cholesky
    from scipy.linalg.lapack import dtrtri

    # From the last row to the first, so that the factor of squares = root root^T is upper.
    root = cholesky(squares[::-1, ::-1], lower=True, check_finite=False)[::-1, ::-1]
    inverse: Wide = dtrtri(root)[0]
    return inverse
