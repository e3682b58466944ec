"""BiSeNet of facexlib (Yu et al., ECCV 2018) as an OpenVINO graph, built from its weights."""

import numpy as np
import openvino as ov
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.checked_layers import (
    CheckedLayers,
    channels_of,
    halved_by_largest,
    relu,
    resized_like,
    size_of,
)
from photoenhance_ui.networks.on_openvino.face_graphs import parser_graph
from photoenhance_ui.networks.on_openvino.layers import Depth, Weights
from photoenhance_ui.networks.parsing import BISENET, CLASSES

RESNET18_START = 64  # channels of the first convolution
RESNET18_STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Channels and stride of each stage of two blocks; the last three are looked at."""
CONTEXT, FUSED = 128, 256  # channels of the context path, and of both paths together


def bisenet_graph(weights: Weights, depth: Depth, reduced: int = 1) -> ov.Model:
    """(N, 512, 512, 3) levels -> (N, 512, 512), 255 where face; see ``parser_graph``.

    The two heads that only helped in training are not built. Raises KeyError or ValueError where
    the weights are another network's.
    """
    layers = CheckedLayers(weights)
    return parser_graph(
        lambda picture: _bisenet(layers, picture), BISENET.face_classes, depth, reduced
    )


def _bisenet(layers: CheckedLayers, picture: ov.Output) -> ov.Output:
    """(N, 3, H, W) in 0..1 -> (N, 19, H, W) scores."""
    means, deviations = (
        np.array(values, np.float32).reshape(1, 3, 1, 1)
        for values in (BISENET.means, BISENET.deviations)
    )
    normalised = op.divide(op.subtract(picture, means), deviations).output(0)
    fine, middle, coarse = _resnet18(layers, normalised)
    fused = _fused(layers, fine, _context(layers, fine, middle, coarse))
    scores = layers.linear(
        "conv_out.conv_out", _seen(layers, "conv_out.conv", fused, FUSED), CLASSES
    )
    return op.interpolate(
        scores, size_of(picture), "linear_onnx", "sizes", axes=np.array([2, 3]),
        coordinate_transformation_mode="align_corners",
    ).output(0)  # fmt: skip


def _context(
    layers: CheckedLayers, fine: ov.Output, middle: ov.Output, coarse: ov.Output
) -> ov.Output:
    """What is seen at a 32nd and a 16th of the size, as large as ``fine``."""
    whole = _seen(layers, "cp.conv_avg", _mean(coarse), CONTEXT, 1)
    x = op.add(_refined(layers, "cp.arm32", coarse), whole).output(0)
    x = _seen(layers, "cp.conv_head32", resized_like(x, middle), CONTEXT)
    x = op.add(_refined(layers, "cp.arm16", middle), x).output(0)
    return _seen(layers, "cp.conv_head16", resized_like(x, fine), CONTEXT)


def _refined(layers: CheckedLayers, name: str, x: ov.Output) -> ov.Output:
    """Channels weighed by how much there is of each in the whole picture."""
    y = _seen(layers, f"{name}.conv", x, CONTEXT)
    weight = layers.normed(f"{name}.conv_atten", f"{name}.bn_atten", _mean(y), CONTEXT)
    return op.multiply(y, op.sigmoid(weight)).output(0)


def _fused(layers: CheckedLayers, detail: ov.Output, context: ov.Output) -> ov.Output:
    both = op.concat([detail, context], 1).output(0)
    x = _seen(layers, "ffm.convblk", both, FUSED, 1)
    weight = relu(layers.linear("ffm.conv1", _mean(x), FUSED // 4))
    weight = layers.linear("ffm.conv2", weight, FUSED)
    return op.add(op.multiply(x, op.sigmoid(weight)), x).output(0)


def _seen(
    layers: CheckedLayers, name: str, x: ov.Output, channels: int, side: int = 3
) -> ov.Output:
    return relu(layers.normed(f"{name}.conv", f"{name}.bn", x, channels, side))


def _mean(x: ov.Output) -> ov.Output:
    """(N, C, H, W) -> (N, C, 1, 1)."""
    return op.reduce_mean(x, np.array([2, 3]), True).output(0)


# ResNet-18 (He et al., 2016)


def _resnet18(layers: CheckedLayers, picture: ov.Output) -> tuple[ov.Output, ov.Output, ov.Output]:
    """Features at an 8th, a 16th and a 32nd of the picture's size."""
    first = layers.normed(
        "cp.resnet.conv1", "cp.resnet.bn1", picture, RESNET18_START, 7, stride=2
    )  # fmt: skip
    x, seen = halved_by_largest(relu(first)), []
    for stage, (channels, stride) in enumerate(RESNET18_STAGES, 1):
        x = _block(layers, f"cp.resnet.layer{stage}.0", x, channels, stride)
        x = _block(layers, f"cp.resnet.layer{stage}.1", x, channels, 1)
        seen.append(x)
    _, fine, middle, coarse = seen
    return fine, middle, coarse


def _block(layers: CheckedLayers, name: str, x: ov.Output, channels: int, stride: int) -> ov.Output:
    y = relu(layers.normed(f"{name}.conv1", f"{name}.bn1", x, channels, 3, stride=stride))
    y = layers.normed(f"{name}.conv2", f"{name}.bn2", y, channels, 3)
    if channels != channels_of(x):
        aside = f"{name}.downsample"
        x = layers.normed(f"{aside}.0", f"{aside}.1", x, channels, stride=stride)
    return relu(op.add(x, y).output(0))
