"""RetinaFace (Deng et al., CVPR 2020) with both of facexlib's backbones as an OpenVINO graph.

Built from the published weights. A picture of any size goes in as whole levels, and what comes out
are the network's raw answers, one for each anchor: ``retinaface.py`` makes faces of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import openvino as ov
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.checked_layers import (
    CheckedLayers,
    halved_by_largest,
    relu,
    resized_like,
)
from photoenhance_ui.networks.on_openvino.layers import Weights, moved
from photoenhance_ui.networks.retinaface import BGR_MEANS

ANCHORS_AT_A_PLACE = 2
MOBILENET_LEAK = 0.1  # of leaky ReLUs in MobileNet and in what stands on it; ResNet's let none by
MOBILENET_START = 8  # channels of the first convolution
MOBILENET_STAGES = (
    ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)),
    ((128, 2), *[(128, 1)] * 5),
    ((256, 2), (256, 1)),
)
"""Output channels and stride of each separable convolution, for each of three stages."""
RESNET50_START = 64  # channels of the first convolution
RESNET50_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Inner channels, number of blocks and stride of each stage; the last three are looked at."""
RESNET_EXPANSION = 4  # a bottleneck gives so many times its inner channels

Levels = tuple[ov.Output, ...]
"""Features of a picture at an 8th, a 16th and a 32nd of its size, finest first."""
Activation = Callable[[ov.Output], ov.Output]


@dataclass(frozen=True)
class Backbone:
    """What a RetinaFace stands on, and how wide it is above."""

    body: Callable[[CheckedLayers, ov.Output], Levels]
    channels: int
    """How many channels each level above the body has."""
    activation: Activation
    """What follows each convolution above the body."""


def retinaface_graph(weights: Weights, backbone: Backbone) -> ov.Model:
    """(N, H, W, 3) RGB levels in 8 bits -> offsets of boxes and landmarks, and scores.

    Boxes (N, A, 4) and landmarks (N, A, 10) as offsets from the A anchors of
    ``retinaface.anchors_for``, and how surely each is a face, (N, A) in 0..1. Raises KeyError or
    ValueError where the weights are another network's.
    """
    levels = op.parameter([-1, -1, -1, 3], np.uint8, name="levels")
    bgr = op.convert(op.gather(levels, np.array([2, 1, 0]), 3), "f32")
    centred = op.subtract(bgr, np.array(BGR_MEANS, np.float32)).output(0)
    layers = CheckedLayers(weights)
    body = backbone.body(layers, moved(centred, (0, 3, 1, 2)))
    features = [
        _context(layers, f"ssh{number}", level, backbone)
        for number, level in enumerate(_pyramid(layers, body, backbone), 1)
    ]
    boxes = _answers(layers, "BboxHead", features, 4)
    landmarks = _answers(layers, "LandmarkHead", features, 10)
    classes = op.softmax(_answers(layers, "ClassHead", features, 2), 2)
    scores = op.gather(classes, np.array(1), 2).output(0)
    return ov.Model([boxes, landmarks, scores], [levels])


def _answers(
    layers: CheckedLayers, head: str, features: list[ov.Output], numbers: int
) -> ov.Output:
    """(N, A, numbers) of all levels; anchors at the same place follow each other."""
    return op.concat(
        [
            op.reshape(
                moved(
                    layers.biased(f"{head}.{level}.conv1x1", x, ANCHORS_AT_A_PLACE * numbers),
                    (0, 2, 3, 1),
                ),
                np.array([0, -1, numbers]),
                True,
            ).output(0)
            for level, x in enumerate(features)
        ],
        1,
    ).output(0)


def _pyramid(layers: CheckedLayers, levels: Levels, backbone: Backbone) -> Levels:
    """Each level with what the coarser ones know (Lin et al., 2017), all equally wide."""
    width, activation = backbone.channels, backbone.activation
    fine, middle, coarse = (
        activation(layers.normed(f"fpn.output{number}.0", f"fpn.output{number}.1", level, width))
        for number, level in enumerate(levels, 1)
    )

    def merged(name: str, x: ov.Output, coarser: ov.Output) -> ov.Output:
        both = op.add(x, resized_like(coarser, x)).output(0)
        return activation(layers.normed(f"{name}.0", f"{name}.1", both, width, 3))

    middle = merged("fpn.merge2", middle, coarse)
    fine = merged("fpn.merge1", fine, middle)
    return fine, middle, coarse


def _context(layers: CheckedLayers, name: str, x: ov.Output, backbone: Backbone) -> ov.Output:
    """A level seen through windows of 3, 5 and 7 pixels (SSH: Najibi et al., 2017)."""
    half, quarter = backbone.channels // 2, backbone.channels // 4

    def seen(part: str, x: ov.Output, channels: int) -> ov.Output:
        return layers.normed(f"{name}.{part}.0", f"{name}.{part}.1", x, channels, 3)

    shared = backbone.activation(seen("conv5X5_1", x, quarter))
    widest = backbone.activation(seen("conv7X7_2", shared, quarter))
    windows = [
        seen("conv3X3", x, half),
        seen("conv5X5_2", shared, quarter),
        seen("conv7x7_3", widest, quarter),
    ]
    return op.relu(op.concat(windows, 1)).output(0)


# MobileNetV1 at a quarter of its width (Howard et al., 2017)


def _mobilenet_body(layers: CheckedLayers, picture: ov.Output) -> Levels:
    first = "body.stage1.0"
    x = layers.normed(f"{first}.0", f"{first}.1", picture, MOBILENET_START, 3, stride=2)
    x, channels = _mobilenet_leaky(x), MOBILENET_START
    levels = []
    for stage, blocks in enumerate(MOBILENET_STAGES, 1):
        for block, (outputs, stride) in enumerate(blocks, 1 if stage == 1 else 0):
            x = _separable(layers, f"body.stage{stage}.{block}", x, (channels, outputs), stride)
            channels = outputs
        levels.append(x)
    return tuple(levels)


def _separable(
    layers: CheckedLayers, name: str, x: ov.Output, channels: tuple[int, int], stride: int
) -> ov.Output:
    """Each channel convolved by itself, then all of them mixed at each pixel."""
    inputs, outputs = channels
    alone = layers.normed(
        f"{name}.0", f"{name}.1", x, inputs, 3, stride=stride, groups=inputs
    )  # fmt: skip
    mixed = layers.normed(f"{name}.3", f"{name}.4", _mobilenet_leaky(alone), outputs)
    return _mobilenet_leaky(mixed)


def _mobilenet_leaky(x: ov.Output) -> ov.Output:
    return op.prelu(x, np.array([MOBILENET_LEAK], np.float32)).output(0)


# ResNet-50 (He et al., 2016)


def _resnet50_body(layers: CheckedLayers, picture: ov.Output) -> Levels:
    first = layers.normed("body.conv1", "body.bn1", picture, RESNET50_START, 7, stride=2)
    x = halved_by_largest(relu(first))
    levels = []
    for stage, (inner, blocks, stride) in enumerate(RESNET50_STAGES, 1):
        for block in range(blocks):
            x = _bottleneck(layers, f"body.layer{stage}.{block}", x, inner, 1 if block else stride)
        levels.append(x)
    return tuple(levels[1:])


def _bottleneck(
    layers: CheckedLayers, name: str, x: ov.Output, inner: int, stride: int
) -> ov.Output:
    outputs = inner * RESNET_EXPANSION
    y = relu(layers.normed(f"{name}.conv1", f"{name}.bn1", x, inner))
    y = relu(layers.normed(f"{name}.conv2", f"{name}.bn2", y, inner, 3, stride=stride))
    y = layers.normed(f"{name}.conv3", f"{name}.bn3", y, outputs)
    if name.endswith(".0"):
        aside = f"{name}.downsample"
        x = layers.normed(f"{aside}.0", f"{aside}.1", x, outputs, stride=stride)
    return relu(op.add(x, y).output(0))


MOBILENET = Backbone(_mobilenet_body, channels=64, activation=_mobilenet_leaky)
RESNET50 = Backbone(_resnet50_body, channels=256, activation=relu)
