"""Graphs of upscalers: the layers of any architecture between whole levels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import openvino as ov
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.layers import Depth, Layers, Quantized, Weights
from photoenhance_ui.networks.on_openvino.levels import (
    levels_of_values,
    picture_of_levels,
    total_of,
)


@dataclass(frozen=True)
class UpscalerLayers:
    """An architecture at one scale, between a picture and its enlarged values.

    ``layers``: (N, 3, h, w) in 0..1 -> values in 32-bit floats, (N, 3 * folded^2, H, W).

    Each place holds ``folded`` x ``folded`` pixels of a colour one after the other, so that levels
    can be made of the values before they are laid out: a quarter of the bytes to move.
    """

    layers: Callable[[Layers, ov.Output], ov.Output]
    folded: int = 1


def upscaler_graph(
    network: UpscalerLayers, weights: Weights, depth: Depth, quantized: Quantized | None = None
) -> ov.Model:
    """(N, H, W, 3) levels -> the enlarged levels, and a total of the values behind them."""
    levels, picture = picture_of_levels(depth)
    is_fine = depth is not np.uint8
    values = network.layers(Layers(weights, quantized or {}, is_fine=is_fine), picture)
    whole = levels_of_values(values, depth)
    return ov.Model([_laid_out(whole, network.folded), total_of(values)], [levels])


def _laid_out(x: ov.Output, folded: int) -> ov.Output:
    """(N, 3 * folded^2, H, W) -> (N, H * folded, W * folded, 3), in one move."""
    shape = op.shape_of(x)
    count, height, width = (op.gather(shape, np.array([axis]), 0) for axis in (0, 2, 3))
    parted = op.concat([count, np.array([3, folded, folded]), height, width], 0)
    in_place = op.transpose(op.reshape(x, parted, False), np.array([0, 4, 2, 5, 3, 1]))
    sides = (op.multiply(side, np.int64(folded)) for side in (height, width))
    return op.reshape(in_place, op.concat([count, *sides, np.array([3])], 0), False).output(0)
