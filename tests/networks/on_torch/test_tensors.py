"""Levels to numbers and back: nothing is lost, and what is no number never becomes a picture."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.tensors import to_pixels, to_tensor
from photoenhance_ui.photo import Pixels
from testing.photos import skimage_photo

EXACT = Placement(torch.device("cpu"))
FAST = Placement(torch.device("cpu"), torch.float16)
DEPTHS = (np.uint8, np.uint16)

sides = st.integers(1, 5)
pictures = st.tuples(st.sampled_from(DEPTHS), sides, sides, sides).flatmap(
    lambda chosen: arrays(chosen[0], (*chosen[1:], 3))
)


def picture_of(depth: type) -> Pixels:
    """Every level of the depth once, as a picture of three channels."""
    levels = np.arange(np.iinfo(depth).max + 1, dtype=np.uint32).astype(depth)
    return np.stack([levels, levels[::-1], np.roll(levels, 7)], axis=-1).reshape(1, 16, -1, 3)


def levels_of(number: float, depth: type) -> int:
    """The level that a network's answer becomes."""
    pixels = to_pixels(torch.full((1, 3, 1, 1), number), np.zeros((1, 1, 1, 3), depth), "any")
    assert pixels.dtype == depth
    assert len(np.unique(pixels)) == 1
    return int(pixels[0, 0, 0, 0])


@given(pictures)
@settings(deadline=None)
def test_any_picture_comes_back_as_it_was(picture: Pixels) -> None:
    back = to_pixels(to_tensor(picture, EXACT), picture, "any")
    assert back.dtype == picture.dtype
    assert np.array_equal(back, picture)


@pytest.mark.parametrize("depth", DEPTHS)
def test_every_level_of_a_depth_comes_back(depth: type) -> None:
    picture = picture_of(depth)
    assert np.array_equal(to_pixels(to_tensor(picture, EXACT), picture, "any"), picture)


def test_half_the_precision_still_holds_every_8_bit_level() -> None:
    picture = picture_of(np.uint8)
    tensor = to_tensor(picture, FAST)
    assert tensor.dtype == torch.float16
    assert np.array_equal(to_pixels(tensor, picture, "any"), picture)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_tensor_holds_channels_first_from_0_to_1(depth: type) -> None:
    picture = picture_of(depth)
    tensor = to_tensor(picture, EXACT)
    assert tensor.shape == (1, 3, *picture.shape[1:3])
    assert (tensor.dtype, float(tensor.min()), float(tensor.max())) == (torch.float32, 0, 1)
    for channel in range(3):
        numbers = picture[0, ..., channel].astype(np.float32) / np.iinfo(depth).max
        assert np.array_equal(tensor[0, channel].numpy(), numbers)


def test_a_piece_of_a_larger_picture_is_read_as_it_lies() -> None:
    photo = skimage_photo("chelsea")
    piece = photo[None, 20:41, 30:47]
    assert not piece.flags.c_contiguous
    assert np.array_equal(to_pixels(to_tensor(piece, EXACT), piece, "any"), piece)


def test_a_result_may_be_larger_than_what_it_came_from() -> None:
    small = np.zeros((1, 2, 2, 3), np.uint16)
    assert to_pixels(torch.ones(1, 3, 8, 8), small, "any").shape == (1, 8, 8, 3)


@given(
    st.sampled_from(DEPTHS).flatmap(
        lambda depth: st.tuples(st.just(depth), st.integers(0, np.iinfo(depth).max))
    ),
    st.floats(-0.45, 0.45),
)
def test_between_two_levels_the_nearer_one_is_taken(chosen: tuple[type, int], off: float) -> None:
    depth, level = chosen
    assert levels_of((level + off) / np.iinfo(depth).max, depth) == level


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("number", [-1e30, -0.2, 1.2, 300.0, 1e30])
def test_what_lies_beyond_black_or_white_is_cut_off(number: float, depth: type) -> None:
    assert levels_of(number, depth) == (0 if number < 0 else np.iinfo(depth).max)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_one_value_that_is_no_number_fails_by_the_networks_name(
    number: float, dtype: torch.dtype
) -> None:
    output = torch.full((1, 3, 4, 4), 0.5, dtype=dtype)
    output[0, 1, 2, 3] = number
    like: NDArray[np.uint8] = np.zeros((1, 4, 4, 3), np.uint8)
    with pytest.raises(NetworkFailed, match="The network some-name gave"):
        to_pixels(output, like, "some-name")
