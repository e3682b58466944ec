"""Which products of whole numbers this processor adds up as they are."""

from functools import cache

import numpy as np
import openvino as ov
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.compilation import compile_graph
from photoenhance_ui.networks.on_openvino.layers import (
    INPUT_LEVELS,
    WEIGHT_LEVELS,
    Layers,
    QuantizedConvolution,
)
from photoenhance_ui.networks.on_openvino.pieces import answer_of

MAX_WEIGHT, MAX_WEIGHT_IN_PAIRS = WEIGHT_LEVELS // 2, 63
"""The largest whole weight, and the largest of which any two times 255 are 16 bits together."""


@cache
def largest_weight() -> int:
    """The largest whole weight of which this processor adds up products as they are.

    Those without VNNI multiply 8 bits by 8 and add two products in 16 bits, cut off at 32767: what
    was fitted to whole sums is lost then (38 dB in the mean for the built-in network, not 47).
    """
    return next(largest for largest in (MAX_WEIGHT, MAX_WEIGHT_IN_PAIRS) if adds_exactly(largest))


def adds_exactly(weight: int) -> bool:
    """Whether this processor adds up products of the largest inputs and ``weight`` as they are."""
    channels, side, most = 16, 8, INPUT_LEVELS - 1
    kernel = np.full((channels, channels, 3, 3), weight, np.int8)
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    whole = QuantizedConvolution(0.0, float(most), ones, kernel, ones, zeros)
    given = op.parameter([1, channels, side, side], np.float32)
    answer = Layers({}, {"whole": whole}).convolution("whole", given.output(0))
    inputs = np.full((1, channels, side, side), most, np.float32)
    answered = answer_of(compile_graph(ov.Model([answer], [given])), [inputs])
    return bool(answered.max() == most * weight * kernel[0].size)
