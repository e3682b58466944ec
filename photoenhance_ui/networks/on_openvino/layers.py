"""Layers of networks as nodes of OpenVINO graphs, in 32 bits or with whole numbers of 8 bits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

Weights = Mapping[str, NDArray[np.float32]]
"""A state dict: names as torch has them."""
Depth = type[np.uint8] | type[np.uint16]

LEAK = 0.2  # of the leaky ReLUs of RRDBNet, GFPGAN and ParseNet
WEIGHT_LEVELS, INPUT_LEVELS = 255, 256  # weights symmetric around 0, inputs not


@dataclass(frozen=True, eq=False)
class QuantizedConvolution:
    """A convolution in 8 bits: whole inputs by whole weights."""

    low: float
    high: float
    """Ends of its input once each channel is divided by its scale; 256 steps between, 0 on one."""
    scales: NDArray[np.float32]
    """What each channel of its input is divided by, (C,)."""
    kernel: NDArray[np.int8]
    """Whole weights (O, C, h, w), -127..127."""
    steps: NDArray[np.float32]
    """What one of them is worth in each output channel, (O,)."""
    bias: NDArray[np.float32]
    """What is added in each output channel, (O,)."""


Quantized = Mapping[str, QuantizedConvolution]
"""Convolutions in 8 bits by their names; those that are absent stay wide."""


class Layers:
    """Layers of one network, by their names.

    ``is_fine``: the picture has more levels than 8 bits can tell, so that the first convolution,
    which takes it as it is, stays in more of them.
    """

    def __init__(self, weights: Weights, quantized: Quantized, *, is_fine: bool = False) -> None:
        self._weights = weights
        self._quantized = quantized
        self._takes_fine_picture = is_fine

    def convolution(self, name: str, x: ov.Output) -> ov.Output:
        """The convolution of that name, with its bias where it has one; the size stays."""
        quantized = None if self._takes_fine_picture else self._quantized.get(name)
        self._takes_fine_picture = False
        if quantized is not None:
            x, kernel = _in_8_bits(x, quantized), _kernel_in_8_bits(quantized)
            return _plus_bias(convolved(x, kernel, name), quantized.bias)
        kernel = op.constant(self.values(f"{name}.weight")).output(0)
        return _plus_bias(convolved(x, kernel, name), self._weights.get(f"{name}.bias"))

    def values(self, name: str) -> NDArray[np.float32]:
        """An entry of the state dict; KeyError where the file holds another network."""
        return self._weights[name]

    def prelu(self, name: str, x: ov.Output) -> ov.Output:
        """A leaky ReLU with a learned leak for each channel."""
        return op.prelu(x, op.constant(self._weights[f"{name}.weight"])).output(0)

    def has(self, name: str) -> bool:
        """Whether there is a layer of that name."""
        return f"{name}.weight" in self._weights

    def is_convolution(self, name: str) -> bool:
        """Whether the layer of that name is a convolution."""
        return self._weights[f"{name}.weight"].ndim == 4


def leaky(x: ov.Output) -> ov.Output:
    """A ReLU that lets a fifth of what is below zero through."""
    return op.prelu(x, np.array([LEAK], np.float32)).output(0)


def twice_as_large(x: ov.Output) -> ov.Output:
    """Make both sides twice as long by giving each pixel four times."""
    sizes = np.array([2, 2], np.float32)
    return op.interpolate(
        x, sizes, "nearest", "scales", axes=np.array([2, 3]), nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    ).output(0)  # fmt: skip


def moved(x: ov.Output, order: tuple[int, ...]) -> ov.Output:
    """Put the axes in another order."""
    return op.transpose(x, np.array(order)).output(0)


def convolved(x: ov.Output, kernel: ov.Output, name: str | None = None) -> ov.Output:
    """A convolution with zeros around its input, so that the size stays; a node of that name."""
    around = [kernel.get_shape()[-1] // 2] * 2
    return op.convolution(x, kernel, [1, 1], around, around, [1, 1], name=name).output(0)


def _plus_bias(x: ov.Output, bias: NDArray[np.float32] | None) -> ov.Output:
    return x if bias is None else op.add(x, op.constant(bias.reshape(1, -1, 1, 1))).output(0)


def _in_8_bits(x: ov.Output, of: QuantizedConvolution) -> ov.Output:
    """Round the input to 256 steps, in the same operation that divides it by its scales."""
    ends = (np.float32(of.low), np.float32(of.high))
    scaled = (end * of.scales.reshape(1, -1, 1, 1) for end in ends)
    return op.fake_quantize(x, *scaled, *ends, INPUT_LEVELS).output(0)


def _kernel_in_8_bits(of: QuantizedConvolution) -> ov.Output:
    """The kernel of whole weights times their steps, in the form that OpenVINO keeps whole."""
    steps = of.steps.reshape(-1, 1, 1, 1)
    largest = steps * np.float32(WEIGHT_LEVELS // 2)
    ends = (-largest, largest)
    return op.fake_quantize(of.kernel * steps, *ends, *ends, WEIGHT_LEVELS).output(0)
