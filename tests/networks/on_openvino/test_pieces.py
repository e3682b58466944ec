"""A graph in pieces gives what it gives whole; others' values can take the place of its own."""

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.compilation import compile_graph
from photoenhance_ui.networks.on_openvino.pieces import Piece, Run, answer_of, cut

CHANNELS = 4
CHANCE = np.random.default_rng(0)
KERNELS = {
    name: CHANCE.normal(size=(CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
    for name in ("first", "second", "third")
}
BIAS = np.arange(CHANNELS, dtype=np.float32)


def convolved(x: ov.Output, name: str, kernel: ov.Output | None = None) -> ov.Output:
    kernel = kernel or op.constant(KERNELS[name]).output(0)
    return op.convolution(x, kernel, [1, 1], [1, 1], [1, 1], [1, 1], name=name).output(0)


def branched() -> ov.Model:
    """The input of the first and its answer come back later; only the second has a bias."""
    given = op.parameter([-1, CHANNELS, -1, -1], np.float32)
    twice = op.multiply(given, np.float32(2)).output(0)
    first = convolved(twice, "first")
    second = op.add(convolved(op.relu(first).output(0), "second"), BIAS.reshape(1, -1, 1, 1))
    joined = op.add(op.add(first, second), twice).output(0)
    return ov.Model([op.tanh(convolved(joined, "third")).output(0)], [given])


def values(count: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(count, CHANNELS, 6, 5)).astype(np.float32)


def by_numpy(x: NDArray[np.float32], piece: Piece) -> NDArray[np.float32]:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    answer = np.einsum("nchwij,ocij->nohw", seen, piece.kernel)
    return (answer + piece.bias[:, None, None]).astype(np.float32)


def last_taken(x: NDArray[np.float32], factor: float = 1.0) -> NDArray[np.float32]:
    """What reaches the third convolution where the second's answer is multiplied."""
    pieces = cut(branched())
    run = Run(pieces, np.split(x, len(x)))
    for piece in pieces:
        taken = run.taken(piece, compile_graph(piece.before))
        scale = np.float32(factor if piece.name == "second" else 1)
        run.answer(piece, [scale * by_numpy(one, piece) for one in taken])
    return np.concatenate(taken)


def test_pieces_are_the_convolutions_in_order() -> None:
    pieces = cut(branched())
    assert [piece.name for piece in pieces] == list(KERNELS)
    for piece in pieces:
        assert np.array_equal(piece.kernel, KERNELS[piece.name])
        assert np.array_equal(piece.bias, BIAS if piece.name == "second" else 0 * BIAS)


def test_values_go_through_the_pieces_as_through_the_whole() -> None:
    whole = answer_of(compile_graph(branched()), [values()])
    third = cut(branched())[-1]
    assert np.tanh(by_numpy(last_taken(values()), third)) == pytest.approx(whole, abs=1e-4)


def test_other_values_in_the_place_of_an_answer_reach_what_comes_after() -> None:
    first, second, _ = cut(branched())
    answer = by_numpy(2 * values(), first)
    corrected = by_numpy(np.maximum(answer, 0), second)
    assert last_taken(values(), 0.5) - last_taken(values()) == pytest.approx(
        -corrected / 2, abs=1e-4
    )


def test_what_was_taken_is_not_changed_by_what_is_computed_of_it() -> None:
    x = values()
    before = x.copy()
    last_taken(x)
    assert np.array_equal(x, before)


def test_a_convolution_whose_kernel_is_computed_is_no_piece() -> None:
    given = op.parameter([-1, CHANNELS, -1, -1], np.float32)
    kernel = op.parameter([CHANNELS, CHANNELS, 3, 3], np.float32)
    answer = convolved(convolved(given.output(0), "by another", kernel.output(0)), "first")
    assert [piece.name for piece in cut(ov.Model([answer], [given, kernel]))] == ["first"]
