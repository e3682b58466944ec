"""Layers of a network whose shape is known, with each weight's shape checked as it is read."""

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.layers import Weights

BATCH_NORM_EPSILON = 1e-5  # of torch


class CheckedLayers:
    """Layers by their names in a state dict; KeyError or ValueError where it holds another network.

    Inputs and outputs are (N, channels, H, W). A convolution has zeros around its input, half its
    side wide, so that with stride 1 the size stays.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def values(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The entry of that name; KeyError where it is absent, ValueError in another shape."""
        values = self._weights[name]
        if values.shape != shape:
            raise ValueError(f"{name} has the shape {values.shape} instead of {shape}")
        return values

    def linear(
        self, name: str, x: ov.Output, outputs: int, side: int = 1, *, stride: int = 1
    ) -> ov.Output:
        """A convolution without a bias."""
        return _convolved(x, self._kernel(name, x, outputs, side, 1), stride)

    def biased(self, name: str, x: ov.Output, outputs: int, side: int = 1) -> ov.Output:
        """A convolution with a bias."""
        y = _convolved(x, self._kernel(name, x, outputs, side, 1), 1)
        return _with_bias(y, self.values(f"{name}.bias", (outputs,)))

    def halving(self, name: str, x: ov.Output, outputs: int) -> ov.Output:
        """A 3x3 convolution with a bias at every second place, with zeros only right and below."""
        kernel = op.constant(self._kernel(name, x, outputs, 3, 1))
        y = op.convolution(x, kernel, [2, 2], [0, 0], [1, 1], [1, 1]).output(0)
        return _with_bias(y, self.values(f"{name}.bias", (outputs,)))

    def normed(
        self, name: str, norm: str, x: ov.Output, outputs: int, side: int = 1,
        *, stride: int = 1, groups: int = 1,
    ) -> ov.Output:  # fmt: skip
        """A convolution without a bias, and the batch norm after it, as one convolution.

        ``groups`` is 1, or the number of channels: each of them is then convolved by itself.
        """
        kernel = self._kernel(name, x, outputs, side, groups)
        scale, bias = self._scale_and_bias(norm, outputs)
        folded = (kernel * scale[:, None, None, None]).astype(np.float32)
        return _with_bias(_convolved(x, folded, stride, groups), bias.astype(np.float32))

    def _kernel(
        self, name: str, x: ov.Output, outputs: int, side: int, groups: int
    ) -> NDArray[np.float32]:
        inputs = channels_of(x) // groups
        return self.values(f"{name}.weight", (outputs, inputs, side, side))

    def _scale_and_bias(
        self, norm: str, channels: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a batch norm multiplies by and then adds, (channels,) each."""
        weight, bias, mean, variance = (
            self.values(f"{norm}.{part}", (channels,)).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / np.sqrt(variance + BATCH_NORM_EPSILON)
        return scale, bias - mean * scale


def channels_of(x: ov.Output) -> int:
    """How many channels (N, channels, H, W) has."""
    return int(x.get_partial_shape()[1].get_length())


def relu(x: ov.Output) -> ov.Output:
    """A ReLU: what is below zero becomes zero."""
    return op.relu(x).output(0)


def halved_by_largest(x: ov.Output) -> ov.Output:
    """The largest of 3x3 values at every second place, rounded up to half the size."""
    pooled = op.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3])
    return pooled.output(0)


def resized_like(x: ov.Output, other: ov.Output) -> ov.Output:
    """Pixels repeated to the height and width of ``other``; both may be any."""
    return op.interpolate(
        x, size_of(other), "nearest", "sizes", axes=np.array([2, 3]),
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    ).output(0)  # fmt: skip


def size_of(x: ov.Output) -> ov.Output:
    """(2,) height and width of (N, channels, H, W)."""
    return op.gather(op.shape_of(x), np.array([2, 3]), 0).output(0)


def _convolved(
    x: ov.Output, kernel: NDArray[np.float32], stride: int, groups: int = 1
) -> ov.Output:
    around, strides = [kernel.shape[-1] // 2] * 2, [stride] * 2
    if groups == 1:
        return op.convolution(x, op.constant(kernel), strides, around, around, [1, 1]).output(0)
    outputs, inputs, *sides = kernel.shape
    grouped = op.constant(kernel.reshape(groups, outputs // groups, inputs, *sides))
    return op.group_convolution(x, grouped, strides, around, around, [1, 1]).output(0)


def _with_bias(x: ov.Output, bias: NDArray[np.float32]) -> ov.Output:
    return op.add(x, op.constant(bias.reshape(1, -1, 1, 1))).output(0)
