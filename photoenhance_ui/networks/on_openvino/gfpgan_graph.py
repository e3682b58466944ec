"""GFPGANv1Clean (Wang et al., 2021) as an OpenVINO graph, built from its weights.

Its decoder's convolutions have other weights for each face; here the weights stay, and what goes in
and comes out is scaled instead, which is the same: a weight ``w * in * out`` gives
``out * conv(in * x, w)``.
"""

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.face_graphs import centred, restorer_graph
from photoenhance_ui.networks.on_openvino.layers import Depth, Layers, Weights, leaky

DECODER = "stylegan_decoder"
STEPS = 7  # from 4 to 512 pixels a side
DEMODULATION_EPSILON = 1e-8
SQRT_2 = np.float32(2**0.5)


def gfpgan_graph(weights: Weights, depth: Depth) -> ov.Model:
    """(N, 512, 512, 3) levels -> the restored levels, and a total of the values."""
    layers = Layers(weights, {})
    return restorer_graph(lambda picture: _gfpgan(layers, centred(picture)), depth)


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
