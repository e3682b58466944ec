"""RestoreFormer (Wang et al., CVPR 2022) as an OpenVINO graph, built from its weights.

An encoder makes codes of a face, each code is replaced by the nearest one of a book of codes of
good faces, and a decoder makes a face of them that keeps looking at what the encoder saw.
"""

import numpy as np
import openvino as ov
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.checked_layers import CheckedLayers, channels_of, size_of
from photoenhance_ui.networks.on_openvino.face_graphs import centred, restorer_graph
from photoenhance_ui.networks.on_openvino.layers import Depth, Weights, twice_as_large

WIDTHS = (64, 128, 128, 256, 256, 512)
"""Channels at the face's size, at half of it, and so on to a 32nd."""
LAST = len(WIDTHS) - 1
BLOCKS = 2  # of the encoder at each size; the decoder has one more
CODE, CODES = 256, 1024  # numbers in a code, codes in the book
HEADS = 8  # of attention, which share the channels among them
GROUPS, NORM_EPSILON = 32, 1e-6  # of group norms


def restoreformer_graph(weights: Weights, depth: Depth) -> ov.Model:
    """(N, 512, 512, 3) levels -> the restored levels, and a total of the values.

    Faces may have any sides that 128 divides: where places are no multiple of 16, OpenVINO's group
    normalization ends the process on processors that are held to AVX2. Raises KeyError or
    ValueError where the weights are another network's.
    """
    layers = CheckedLayers(weights)
    return restorer_graph(lambda picture: _restoreformer(layers, centred(picture)), depth)


def _restoreformer(layers: CheckedLayers, picture: ov.Output) -> ov.Output:
    """(N, 3, H, W) in -1..1 -> the restored face, about in -1..1."""
    seen_before, seen_after, features = _encoded(layers, picture)
    codes = _nearest(layers, layers.biased("quant_conv", features, CODE))
    x = layers.biased("post_quant_conv", codes, CODE)
    return _decoded(layers, x, seen_before, seen_after)


def _encoded(layers: CheckedLayers, picture: ov.Output) -> tuple[ov.Output, ov.Output, ov.Output]:
    """What is seen before and after the middle, and features of which codes are made."""
    x = layers.biased("encoder.conv_in", picture, WIDTHS[0], 3)
    for level, channels in enumerate(WIDTHS):
        for block in range(BLOCKS):
            x = _residual(layers, f"encoder.down.{level}.block.{block}", x, channels)
            if level == LAST:
                x = _attention(layers, f"encoder.down.{level}.attn.{block}", x)
        if level < LAST:
            x = layers.halving(f"encoder.down.{level}.downsample.conv", x, channels)
    before = _residual(layers, "encoder.mid.block_1", x, WIDTHS[LAST])
    after = _attention(layers, "encoder.mid.attn_1", before)
    after = _residual(layers, "encoder.mid.block_2", after, WIDTHS[LAST])
    features = layers.biased(
        "encoder.conv_out", _normed_and_bent(layers, "encoder.norm_out", after), CODE, 3
    )
    return before, after, features


def _nearest(layers: CheckedLayers, codes: ov.Output) -> ov.Output:
    """Each code (N, 256, H, W) replaced by the nearest one of the book (van den Oord et al., 2017).

    Its own length is the same for all of them, and is left out of the squared distances.
    """
    book = layers.values("quantize.embedding.weight", (CODES, CODE))
    lengths = np.square(book.astype(np.float64)).sum(axis=1).astype(np.float32)
    placed = op.transpose(codes, np.array([0, 2, 3, 1]))
    products = op.matmul(placed, op.constant(book * np.float32(2)), False, True)
    distances = op.subtract(op.constant(lengths), products)
    nearest = op.topk(distances, np.int32(1), 3, "min", "none").output(1)
    chosen = op.gather(op.constant(book), op.squeeze(nearest, np.array([3])), 0)
    return op.transpose(chosen, np.array([0, 3, 1, 2])).output(0)


def _decoded(
    layers: CheckedLayers, codes: ov.Output, seen_before: ov.Output, seen_after: ov.Output
) -> ov.Output:
    x = layers.biased("decoder.conv_in", codes, WIDTHS[LAST], 3)
    x = _residual(layers, "decoder.mid.block_1", x, WIDTHS[LAST])
    x = _attention(layers, "decoder.mid.attn_1", x, seen_after)
    x = _residual(layers, "decoder.mid.block_2", x, WIDTHS[LAST])
    for level in reversed(range(len(WIDTHS))):
        for block in range(BLOCKS + 1):
            x = _residual(layers, f"decoder.up.{level}.block.{block}", x, WIDTHS[level])
            if level == LAST:
                x = _attention(layers, f"decoder.up.{level}.attn.{block}", x, seen_before)
        if level > 0:
            name = f"decoder.up.{level}.upsample.conv"
            x = layers.biased(name, twice_as_large(x), WIDTHS[level], 3)
    return layers.biased("decoder.conv_out", _normed_and_bent(layers, "decoder.norm_out", x), 3, 3)


def _residual(layers: CheckedLayers, name: str, x: ov.Output, channels: int) -> ov.Output:
    y = layers.biased(f"{name}.conv1", _normed_and_bent(layers, f"{name}.norm1", x), channels, 3)
    y = layers.biased(f"{name}.conv2", _normed_and_bent(layers, f"{name}.norm2", y), channels, 3)
    if channels != channels_of(x):
        x = layers.biased(f"{name}.nin_shortcut", x, channels)
    return op.add(x, y).output(0)


def _attention(
    layers: CheckedLayers, name: str, x: ov.Output, asking: ov.Output | None = None
) -> ov.Output:
    """Each place takes from all others what it, or the same place of ``asking``, asks for.

    Attention of several heads (Vaswani et al., 2017), each with its part of the channels.
    """
    channels = channels_of(x)
    normed = _group_normed(layers, f"{name}.norm1", x)
    asked = normed if asking is None else _group_normed(layers, f"{name}.norm2", asking)
    parted = np.array([0, HEADS, channels // HEADS, -1])
    queries, keys, values = (
        op.reshape(layers.biased(f"{name}.{part}", source, channels), parted, True)
        for part, source in (("q", asked), ("k", normed), ("v", normed))
    )  # (N, heads, channels of each, places)
    queries = op.multiply(queries, np.float32((channels // HEADS) ** -0.5))
    shares = op.softmax(op.matmul(queries, keys, True, False), 3)
    taken = op.matmul(values, shares, False, True)
    size = op.concat([np.array([0, channels]), size_of(x)], 0)
    placed = op.reshape(taken, size, True).output(0)
    mixed = layers.biased(f"{name}.proj_out", placed, channels)
    return op.add(x, mixed).output(0)


def _normed_and_bent(layers: CheckedLayers, name: str, x: ov.Output) -> ov.Output:
    """Group norm, then x * sigmoid(x)."""
    return op.swish(_group_normed(layers, name, x)).output(0)


def _group_normed(layers: CheckedLayers, name: str, x: ov.Output) -> ov.Output:
    """Each group of channels brought to mean 0 and deviation 1 (Wu and He, 2018)."""
    scale, bias = (
        op.constant(layers.values(f"{name}.{part}", (channels_of(x),)))
        for part in ("weight", "bias")
    )
    return op.group_normalization(x, scale, bias, GROUPS, NORM_EPSILON).output(0)
