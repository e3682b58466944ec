"""Pictures as whole levels at the ends of a graph.

Graphs take and give (N, H, W, 3) whole levels, so that nothing but levels crosses. Beside its
picture a graph tells a total of its values, which is a finite number only where all of them are.
"""

import numpy as np
import openvino as ov
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.layers import Depth, moved

FINITE_SQUARE_PX = 8


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
