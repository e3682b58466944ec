"""Real-ESRGAN's networks as OpenVINO graphs, built from their weights without torch.

A graph takes and gives whole levels, (N, H, W, 3) of any size, so that nothing but levels crosses.
Beside its picture it tells a total of its values, which is a finite number only where all are.
Convolutions named in ``quantized`` are computed in 8 bits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

Weights = Mapping[str, NDArray[np.float32]]
"""A state dict: names as torch has them."""
Depth = type[np.uint8] | type[np.uint16]

LEAK = 0.2  # of RRDBNet's leaky ReLUs
RESIDUAL_SHARE = 0.2  # of what an RRDB's blocks add
FINITE_SQUARE_PX = 8
WEIGHT_LEVELS, INPUT_LEVELS = 255, 256  # weights symmetric around 0, inputs not


@dataclass(frozen=True, eq=False)
class QuantizedConvolution:
    """A convolution in 8 bits: whole inputs by whole weights."""

    low: float
    high: float
    """Ends of its input once each channel is divided by its scale; 256 steps between, 0 on one."""
    scales: NDArray[np.float32]
    """Of its input's channels, (C,)."""
    kernel: NDArray[np.int8]
    """Whole weights (O, C, h, w), -127..127."""
    steps: NDArray[np.float32]
    """What one of them is worth in each output channel, (O,)."""
    bias: NDArray[np.float32]
    """(O,)."""


Quantized = Mapping[str, QuantizedConvolution]
"""By the convolution's name; those that are absent stay wide."""


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
        """With zeros around, so that the size stays, and with its bias where it has one."""
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
        """Whether the layer of that name is one."""
        return self._weights[f"{name}.weight"].ndim == 4


@dataclass(frozen=True)
class Network:
    """``layers``: (N, 3, h, w) in 0..1 -> values in 32-bit floats, (N, 3 * folded^2, H, W).

    Each place holds ``folded`` x ``folded`` pixels of a colour one after the other, so that levels
    can be made of the values before they are laid out: a quarter of the bytes to move.
    """

    layers: Callable[[Layers, ov.Output], ov.Output]
    folded: int = 1


def srvgg(scale: int) -> Network:
    """SRVGGNetCompact: plain convolutions at the small size, added to the picture as it is."""

    def network(layers: Layers, picture: ov.Output) -> ov.Output:
        x, index = picture, 0
        while layers.has(f"body.{index}"):
            name = f"body.{index}"
            layer = layers.convolution if layers.is_convolution(name) else layers.prelu
            x, index = layer(name, x), index + 1
        # Adding each pixel to all that become of it, before they are laid out, is cheaper than
        # enlarging the picture and adding it afterwards, and the same.
        repeated = op.gather(picture, np.repeat(np.arange(3), scale * scale), 1)
        return op.add(x, repeated).output(0)

    return Network(network, folded=scale)


def rrdb(scale: int) -> Network:
    """RRDBNet of Real-ESRGAN, x2 or x4: dense blocks at the small size, then twice enlarged."""

    def network(layers: Layers, picture: ov.Output) -> ov.Output:
        folded = op.space_to_depth(picture, "depth_first", 2).output(0) if scale == 2 else picture
        first = x = layers.convolution("conv_first", folded)
        index = 0
        while layers.has(f"body.{index}.rdb1.conv1"):
            x, index = _rrdb_block(layers, f"body.{index}", x), index + 1
        x = op.add(first, layers.convolution("conv_body", x)).output(0)
        for name in ("conv_up1", "conv_up2"):
            x = leaky(layers.convolution(name, twice_as_large(x)))
        x = leaky(layers.convolution("conv_hr", x))
        return layers.convolution("conv_last", x)

    return Network(network)


def _rrdb_block(layers: Layers, name: str, x: ov.Output) -> ov.Output:
    y = x
    for dense in ("rdb1", "rdb2", "rdb3"):
        y = _dense_block(layers, f"{name}.{dense}", y)
    return _plus_share(x, y)


def _dense_block(layers: Layers, name: str, x: ov.Output) -> ov.Output:
    seen = [x]
    for index in range(1, 5):
        all_seen = op.concat(seen, 1).output(0) if len(seen) > 1 else x
        seen.append(leaky(layers.convolution(f"{name}.conv{index}", all_seen)))
    return _plus_share(x, layers.convolution(f"{name}.conv5", op.concat(seen, 1).output(0)))


def _plus_share(x: ov.Output, y: ov.Output) -> ov.Output:
    return op.add(x, op.multiply(y, np.float32(RESIDUAL_SHARE))).output(0)


def leaky(x: ov.Output) -> ov.Output:
    """A ReLU that lets a fifth of what is below zero through."""
    return op.prelu(x, np.array([LEAK], np.float32)).output(0)


def twice_as_large(x: ov.Output) -> ov.Output:
    """Each pixel four times."""
    sizes = np.array([2, 2], np.float32)
    return op.interpolate(
        x, sizes, "nearest", "scales", axes=np.array([2, 3]), nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    ).output(0)  # fmt: skip


def level_graph(
    network: Network, weights: Weights, depth: Depth, quantized: Quantized | None = None
) -> ov.Model:
    """(N, H, W, 3) levels -> the enlarged levels, and a total of the values behind them."""
    levels, picture = picture_of_levels(depth)
    is_fine = depth is not np.uint8
    values = network.layers(Layers(weights, quantized or {}, is_fine=is_fine), picture)
    whole = levels_of_values(values, depth)
    return ov.Model([_laid_out(whole, network.folded), total_of(values)], [levels])


def picture_of_levels(depth: Depth) -> tuple[ov.Node, ov.Output]:
    """The parameter (N, H, W, 3) of whole levels, and (N, 3, H, W) in 0..1 made of it."""
    levels = op.parameter([-1, -1, -1, 3], depth, name="levels")
    floats = op.multiply(op.convert(levels, "f32"), np.float32(1 / np.iinfo(depth).max))
    return levels, moved(floats.output(0), (0, 3, 1, 2))


def levels_of_values(values: ov.Output, depth: Depth) -> ov.Output:
    """0..1 -> levels, rounded to the nearest, cut off at the ends."""
    limited = op.multiply(op.clamp(values, 0.0, 1.0), np.float32(np.iinfo(depth).max))
    rounded = op.round(limited, "half_to_even")
    return op.convert(rounded, ov.Type(depth).to_string()).output(0)


def total_of(values: ov.Output) -> ov.Output:
    """One number that is finite only where all values are.

    The mean of each 8x8 pixels comes first: it is worked out of values as a convolution leaves
    them, while a sum of all has them laid out anew, a tenth of the time of a fast network.
    """
    side = [FINITE_SQUARE_PX] * 2
    means = op.avg_pool(values, side, [0, 0], [0, 0], side, True, auto_pad="same_upper")
    return op.reduce_sum(means, np.arange(4)).output(0)


def _laid_out(x: ov.Output, folded: int) -> ov.Output:
    """(N, 3 * folded^2, H, W) -> (N, H * folded, W * folded, 3), moved once."""
    shape = op.shape_of(x)
    count, height, width = (op.gather(shape, np.array([axis]), 0) for axis in (0, 2, 3))
    parted = op.concat([count, np.array([3, folded, folded]), height, width], 0)
    in_place = op.transpose(op.reshape(x, parted, False), np.array([0, 4, 2, 5, 3, 1]))
    sides = (op.multiply(side, np.int64(folded)) for side in (height, width))
    return op.reshape(in_place, op.concat([count, *sides, np.array([3])], 0), False).output(0)


def moved(x: ov.Output, order: tuple[int, ...]) -> ov.Output:
    """With its axes in another order."""
    return op.transpose(x, np.array(order)).output(0)


def convolved(x: ov.Output, kernel: ov.Output, name: str | None = None) -> ov.Output:
    """With zeros around, so that the size stays; the node is known by its name."""
    around = [kernel.get_shape()[-1] // 2] * 2
    return op.convolution(x, kernel, [1, 1], around, around, [1, 1], name=name).output(0)


def _plus_bias(x: ov.Output, bias: NDArray[np.float32] | None) -> ov.Output:
    return x if bias is None else op.add(x, op.constant(bias.reshape(1, -1, 1, 1))).output(0)


def _in_8_bits(x: ov.Output, of: QuantizedConvolution) -> ov.Output:
    """Divided by its scales in the same operation that rounds it."""
    ends = (np.float32(of.low), np.float32(of.high))
    scaled = (end * of.scales.reshape(1, -1, 1, 1) for end in ends)
    return op.fake_quantize(x, *scaled, *ends, INPUT_LEVELS).output(0)


def _kernel_in_8_bits(of: QuantizedConvolution) -> ov.Output:
    """Whole weights times their steps, said so that OpenVINO keeps them whole."""
    steps = of.steps.reshape(-1, 1, 1, 1)
    largest = steps * np.float32(WEIGHT_LEVELS // 2)
    ends = (-largest, largest)
    return op.fake_quantize(of.kernel * steps, *ends, *ends, WEIGHT_LEVELS).output(0)
