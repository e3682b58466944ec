"""What this machine's arithmetic units give at best: the ceiling of which benchmarks tell a share.

Operations are counted as is usual: a multiply-add is two.
"""

from functools import partial
from timeit import repeat

import numpy as np
import openvino
import torch
from openvino import opset13 as opset

from photoenhance_ui.networks.on_openvino.compilation import compile_graph
from photoenhance_ui.networks.on_openvino.layers import Layers, QuantizedConvolution

FORMS = ("exact", "bfloat16", "8 bits")
MATRIX_SIDE = 2048
CHANNELS, SIDE_PX, CONVOLUTIONS = 128, 192, 4
TRIES = 7


def peak_gflops() -> float:
    """GFLOP/s in 32 bits of a matrix product by torch or of convolutions, the better one."""
    matrix = torch.rand(MATRIX_SIDE, MATRIX_SIDE)
    seconds = min(repeat(lambda: torch.mm(matrix, matrix), number=1, repeat=TRIES))
    return round(max(2 * MATRIX_SIDE**3 / seconds / 1e9, convolutions_gops("exact")), 1)


def convolutions_gops(form: str) -> float:
    """Thousand millions of operations a second of wide 3x3 convolutions in a row by OpenVINO.

    ``form`` is one of FORMS. The best of several tries, here and now.
    """
    kernel = np.ones((CHANNELS, CHANNELS, 3, 3), np.int8)
    ones = np.ones(CHANNELS, np.float32)
    whole = QuantizedConvolution(0.0, 255.0, ones, kernel, ones, 0 * ones)
    layers = Layers(
        {"wide.weight": kernel.astype(np.float32)}, {"wide": whole} if form == "8 bits" else {}
    )
    given = opset.parameter([1, CHANNELS, SIDE_PX, SIDE_PX], np.float32)
    answer = given.output(0)
    for _ in range(CONVOLUTIONS):
        answer = layers.convolution("wide", answer)
    request = compile_graph(openvino.Model([answer], [given]), fast=form != "exact")
    picture = np.ones((1, CHANNELS, SIDE_PX, SIDE_PX), np.float32)
    seconds = min(repeat(partial(request.infer, picture), number=1, repeat=TRIES))
    return round(2 * CONVOLUTIONS * kernel.size * SIDE_PX**2 / seconds / 1e9, 1)
