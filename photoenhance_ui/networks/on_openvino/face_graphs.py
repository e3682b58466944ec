"""GFPGAN and ParseNet as OpenVINO graphs, built from their weights without torch.

Faces are (N, 512, 512, 3) whole levels. GFPGAN's convolutions have other weights for each face;
here the weights stay, and what goes in and comes out is scaled instead, which is the same:
a weight ``w * in * out`` gives ``out * conv(in * x, w)``.
"""

from collections.abc import Callable

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from photoenhance_ui.contracts import FACE_PX
from photoenhance_ui.networks.on_openvino.graphs import (
    Depth,
    Layers,
    Weights,
    leaky,
    levels_of_values,
    moved,
    picture_of_levels,
    total_of,
    twice_as_large,
)
from photoenhance_ui.networks.parsing import CLASSES, PARSENET_FACE

DECODER = "stylegan_decoder"
STEPS = 7  # from 4 to 512 pixels a side
DEMODULATION_EPSILON = 1e-8
NORM_EPSILON = 1e-5
SQRT_2 = np.float32(2**0.5)
PARSENET_ENCODER, PARSENET_BODY, PARSENET_DECODER = 5, 10, 4  # blocks; the encoder's first is one


def gfpgan_graph(weights: Weights, depth: Depth) -> ov.Model:
    """GFPGANv1Clean (Wang et al., 2021): the restored levels, and a total of the values."""
    layers = Layers(weights, {})
    return restorer_graph(lambda picture: _gfpgan(layers, centred(picture)), depth)


def restorer_graph(network: Callable[[ov.Output], ov.Output], depth: Depth) -> ov.Model:
    """A restorer of pictures (N, 3, H, W) in 0..1 that gives -1..1: levels, and a total."""
    levels, picture = picture_of_levels(depth)
    values = network(picture)
    shown = op.multiply(op.add(values, np.float32(1)), np.float32(0.5)).output(0)
    restored = moved(levels_of_values(shown, depth), (0, 2, 3, 1))
    return ov.Model([restored, total_of(values)], [levels])


def parsenet_graph(
    weights: Weights,
    depth: Depth,
    reduced: int = 1,
    *,
    face_classes: tuple[int, ...] = PARSENET_FACE,
) -> ov.Model:
    """ParseNet of facexlib: (N, 512, 512), 255 where a pixel's class is one of the face.

    ``reduced`` looks at the face so many times smaller, and repeats each pixel of the mask.
    """
    return parser_graph(
        lambda picture: _parsenet(weights, centred(picture)), face_classes, depth, reduced
    )


def parser_graph(
    network: Callable[[ov.Output], ov.Output],
    face_classes: tuple[int, ...],
    depth: Depth,
    reduced: int,
) -> ov.Model:
    """A parser that makes scores (N, classes, H, W) of a picture (N, 3, H, W) in 0..1, as a mask.

    The mask is 255 where the best class is one of the face; see ``parsenet_graph``.
    """
    levels, picture = picture_of_levels(depth)
    step = [reduced, reduced]
    seen = op.avg_pool(picture, step, [0, 0], [0, 0], step, True).output(0)
    scores = network(seen if reduced > 1 else picture)
    best = op.topk(scores, np.int32(1), 1, "max", "none").output(1)
    is_face = np.zeros(CLASSES, np.uint8)
    is_face[list(face_classes)] = 255
    mask = op.gather(op.constant(is_face), op.squeeze(best, np.array([1])), 0).output(0)
    return ov.Model([_repeated(mask, reduced) if reduced > 1 else mask], [levels])


def centred(picture: ov.Output) -> ov.Output:
    """0..1 -> -1..1."""
    return op.subtract(op.multiply(picture, np.float32(2)), np.float32(1)).output(0)


# GFPGAN


def _gfpgan(layers: Layers, picture: ov.Output) -> ov.Output:
    """(N, 3, 512, 512) in -1..1 -> the restored face, about in -1..1."""
    x, skips = leaky(layers.convolution("conv_body_first", picture)), []
    for step in range(STEPS):
        x = _half_block(layers, f"conv_body_down.{step}", x)
        skips.append(x)
    x = leaky(layers.convolution("final_conv", x))
    latents = _latents(layers, x)
    conditions = []
    for step in range(STEPS):
        x = op.add(x, skips.pop()).output(0)
        x = _double_block(layers, f"conv_body_up.{step}", x)
        scale, shift = (_condition(layers, kind, step, x) for kind in ("scale", "shift"))
        conditions.append((scale, shift))
    return _decoded(layers, latents, conditions)


def _half_block(layers: Layers, name: str, x: ov.Output) -> ov.Output:
    y = _half_as_large(leaky(layers.convolution(f"{name}.conv1", x)))
    y = leaky(layers.convolution(f"{name}.conv2", y))
    return op.add(y, layers.convolution(f"{name}.skip", _half_as_large(x))).output(0)


def _double_block(layers: Layers, name: str, x: ov.Output) -> ov.Output:
    y = _smoothly_twice_as_large(leaky(layers.convolution(f"{name}.conv1", x)))
    y = leaky(layers.convolution(f"{name}.conv2", y))
    # One weight per channel pair: it can as well act before the picture grows.
    skip = _smoothly_twice_as_large(layers.convolution(f"{name}.skip", x))
    return op.add(y, skip).output(0)


def _condition(layers: Layers, kind: str, step: int, x: ov.Output) -> ov.Output:
    name = f"condition_{kind}.{step}"
    return layers.convolution(f"{name}.2", leaky(layers.convolution(f"{name}.0", x)))


def _latents(layers: Layers, x: ov.Output) -> ov.Output:
    """(N, 256, 4, 4) -> (N, 16, 512): a style for each layer of the decoder."""
    flat = op.reshape(x, np.array([0, -1]), True).output(0)
    code = _linear(layers, "final_linear", flat)
    features = layers.values(f"{DECODER}.to_rgb1.modulated_conv.modulation.weight").shape[1]
    return op.reshape(code, np.array([0, -1, features]), True).output(0)


def _decoded(
    layers: Layers, latents: ov.Output, conditions: list[tuple[ov.Output, ov.Output]]
) -> ov.Output:
    """StyleGAN2 with the encoder's features laid over half of its channels."""
    start = op.constant(layers.values(f"{DECODER}.constant_input.weight")).output(0)
    x = _style_convolution(layers, "style_conv1", start, _style(latents, 0), noise=0)
    image = _to_rgb(layers, "to_rgb1", x, _style(latents, 1))
    for step, condition in enumerate(conditions):
        first = 1 + 2 * step  # latents and noises go two by two, the last latent serves twice
        name = f"style_convs.{2 * step}"
        x = _style_convolution(layers, name, x, _style(latents, first), noise=first, grows=True)
        x = _conditioned(x, *condition)
        name = f"style_convs.{2 * step + 1}"
        x = _style_convolution(layers, name, x, _style(latents, first + 1), noise=first + 1)
        rgb = _to_rgb(layers, f"to_rgbs.{step}", x, _style(latents, first + 2))
        image = op.add(rgb, _smoothly_twice_as_large(image)).output(0)
    return image


def _conditioned(x: ov.Output, scale: ov.Output, shift: ov.Output) -> ov.Output:
    same, changed = op.split(x, 1, 2).outputs()
    return op.concat([same, op.add(op.multiply(changed, scale), shift)], 1).output(0)


def _style(latents: ov.Output, index: int) -> ov.Output:
    return op.gather(latents, np.int64(index), 1).output(0)


def _style_convolution(
    layers: Layers, name: str, x: ov.Output, style: ov.Output, noise: int, *, grows: bool = False
) -> ov.Output:
    name = f"{DECODER}.{name}"
    kernel = layers.values(f"{name}.modulated_conv.weight")[0]
    going_in = _linear(layers, f"{name}.modulated_conv.modulation", style)
    x = op.multiply(x, _for_channels(going_in)).output(0)
    x = _smoothly_twice_as_large(x) if grows else x
    y = _plain(x, kernel)
    # Demodulation: each output channel's weights are brought to length 1.
    squares = np.square(kernel).sum(axis=(2, 3)).T
    lengths = op.matmul(op.power(going_in, np.float32(2)), op.constant(squares), False, False)
    coming_out = op.divide(SQRT_2, op.sqrt(op.add(lengths, np.float32(DEMODULATION_EPSILON))))
    y = op.multiply(y, _for_channels(coming_out.output(0)))
    stored = layers.values(f"{DECODER}.noises.noise{noise}") * layers.values(f"{name}.weight")
    y = op.add(y, op.constant(stored))
    return leaky(op.add(y, op.constant(layers.values(f"{name}.bias"))).output(0))


def _to_rgb(layers: Layers, name: str, x: ov.Output, style: ov.Output) -> ov.Output:
    name = f"{DECODER}.{name}"
    going_in = _linear(layers, f"{name}.modulated_conv.modulation", style)
    kernel = layers.values(f"{name}.modulated_conv.weight")[0]
    rgb = _plain(op.multiply(x, _for_channels(going_in)).output(0), kernel)
    return op.add(rgb, op.constant(layers.values(f"{name}.bias"))).output(0)


def _plain(x: ov.Output, kernel: NDArray[np.float32]) -> ov.Output:
    around = [kernel.shape[-1] // 2] * 2
    return op.convolution(x, op.constant(kernel), [1, 1], around, around, [1, 1]).output(0)


def _for_channels(values: ov.Output) -> ov.Output:
    """(N, C) -> (N, C, 1, 1)."""
    return op.unsqueeze(values, np.array([2, 3])).output(0)


def _linear(layers: Layers, name: str, x: ov.Output) -> ov.Output:
    product = op.matmul(x, op.constant(layers.values(f"{name}.weight")), False, True)
    return op.add(product, op.constant(layers.values(f"{name}.bias")[None])).output(0)


def _half_as_large(x: ov.Output) -> ov.Output:
    """What bilinear interpolation to half the size is: the mean of each four pixels."""
    return op.avg_pool(x, [2, 2], [0, 0], [0, 0], [2, 2], True).output(0)


def _smoothly_twice_as_large(x: ov.Output) -> ov.Output:
    return op.interpolate(
        x, np.array([2, 2], np.float32), "linear_onnx", "scales", axes=np.array([2, 3]),
        coordinate_transformation_mode="half_pixel",
    ).output(0)  # fmt: skip


# ParseNet


def _repeated(mask: ov.Output, times: int) -> ov.Output:
    """(N, H, W) -> (N, H * times, W * times)."""
    places = np.repeat(np.arange(FACE_PX // times), times)
    return op.gather(op.gather(mask, places, 1), places, 2).output(0)


def _parsenet(weights: Weights, picture: ov.Output) -> ov.Output:
    """(N, 3, 512, 512) in -1..1 -> (N, 19, 512, 512) scores."""
    x = _reflected(weights, "encoder.0", picture)
    for block in range(1, PARSENET_ENCODER):
        x = _residual(weights, f"encoder.{block}", x, strides=(1, 2))
    seen = x
    for block in range(PARSENET_BODY):
        x = _residual(weights, f"body.{block}", x)
    x = op.add(seen, x).output(0)
    for block in range(PARSENET_DECODER):
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
