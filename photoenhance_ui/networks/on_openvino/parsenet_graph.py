"""ParseNet of facexlib as an OpenVINO graph, built from its weights."""

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.face_graphs import centred, parser_graph
from photoenhance_ui.networks.on_openvino.layers import Depth, Weights, leaky, twice_as_large
from photoenhance_ui.networks.parsing import PARSENET

ENCODER_BLOCKS, BODY_BLOCKS, DECODER_BLOCKS = 5, 10, 4  # the encoder's first is one convolution
NORM_EPSILON = 1e-5


def parsenet_graph(
    weights: Weights,
    depth: Depth,
    reduced: int = 1,
    *,
    face_classes: tuple[int, ...] = PARSENET.face_classes,
) -> ov.Model:
    """(N, 512, 512, 3) levels -> (N, 512, 512), 255 where face; see ``parser_graph``."""
    return parser_graph(
        lambda picture: _parsenet(weights, centred(picture)), face_classes, depth, reduced
    )


def _parsenet(weights: Weights, picture: ov.Output) -> ov.Output:
    """(N, 3, 512, 512) in -1..1 -> (N, 19, 512, 512) scores."""
    x = _reflected(weights, "encoder.0", picture)
    for block in range(1, ENCODER_BLOCKS):
        x = _residual(weights, f"encoder.{block}", x, strides=(1, 2))
    seen = x
    for block in range(BODY_BLOCKS):
        x = _residual(weights, f"body.{block}", x)
    x = op.add(seen, x).output(0)
    for block in range(DECODER_BLOCKS):
        x = _residual(weights, f"decoder.{block}", x, grows=True)
    return _reflected(weights, "out_mask_conv", x)


def _residual(
    weights: Weights, name: str, x: ov.Output, strides: tuple[int, int] = (1, 1),
    *, grows: bool = False,
) -> ov.Output:  # fmt: skip
    if grows:
        x = twice_as_large(x)
    is_plain = f"{name}.shortcut_func.conv2d.weight" not in weights
    shortcut = x if is_plain else _reflected(weights, f"{name}.shortcut_func", x, max(strides))
    y = leaky(_reflected(weights, f"{name}.conv1", x, strides[0]))
    return op.add(shortcut, _reflected(weights, f"{name}.conv2", y, strides[1])).output(0)


def _reflected(weights: Weights, name: str, x: ov.Output, stride: int = 1) -> ov.Output:
    """A 3x3 convolution with the picture mirrored around, its batch norm folded in."""
    kernel, bias = _folded(weights, name)
    rim = np.array([0, 0, 1, 1])
    around = op.pad(x, rim, rim, "reflect")
    y = op.convolution(around, op.constant(kernel), [stride] * 2, [0, 0], [0, 0], [1, 1])
    return op.add(y, op.constant(bias.reshape(1, -1, 1, 1))).output(0)


def _folded(weights: Weights, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    kernel = weights[f"{name}.conv2d.weight"]
    norm = f"{name}.norm.norm"
    if f"{norm}.weight" not in weights:
        return kernel, weights[f"{name}.conv2d.bias"]
    deviation = np.sqrt(weights[f"{norm}.running_var"] + np.float32(NORM_EPSILON))
    scale = weights[f"{norm}.weight"] / deviation
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return kernel * scale[:, None, None, None], bias
