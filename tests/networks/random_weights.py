"""Seeded random weights of upscalers, made without torch, through which a picture survives."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.networks.shapes import Shapes, rrdb_shapes, srvgg_shapes

GAIN = 1.75
"""By which values neither grow nor fade where no activation follows."""
DENSE_SHARE = 0.1  # of blocks whose answers are added to what they take
SRVGG_SHARE = 0.1  # of what is added to the picture, so that little is cut off

Weights = dict[str, NDArray[Any]]


def random_srvgg(features: int, convolutions: int, scale: int, seed: int = 0) -> Weights:
    """SRVGGNetCompact; the picture itself is added to what its layers give."""
    weights = _random(srvgg_shapes(features, convolutions, scale), seed, 1.35 * GAIN)
    weights[f"body.{2 * (convolutions + 1)}.weight"] *= SRVGG_SHARE
    return weights


def random_rrdb(blocks: int, scale: int, seed: int = 0, features: int = 64) -> Weights:
    """RRDBNet; its values lie around the middle, where little is cut off."""
    fewer = 64 - features
    shapes = {
        name: tuple(side - fewer if side >= 64 else side for side in shape)
        for name, shape in rrdb_shapes(blocks, scale).items()
    }
    weights = _random(shapes, seed, GAIN)
    weights["conv_last.bias"] += np.float32(0.5)
    return weights


def _random(shapes: Shapes, seed: int, gain: float) -> Weights:
    chance = np.random.default_rng(seed)

    def values(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if name.endswith(".bias"):
            return np.zeros(shape)
        if len(shape) == 1:  # leaks
            return chance.uniform(-0.2, 0.6, shape)
        most = (DENSE_SHARE if ".rdb" in name else gain) * np.prod(shape[1:]) ** -0.5
        return chance.uniform(-most, most, shape)

    return {name: values(name, shape).astype(np.float32) for name, shape in shapes.items()}


def write_span(path: Path, features: int = 8, scale: int = 2) -> Any:
    """Write a tiny SPAN (Wan et al., 2024) of random weights, and give it; only torch knows it."""
    import torch
    from spandrel.architectures.SPAN import SPAN

    torch.manual_seed(1)
    network = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=features, upscale=scale)
    torch.save({"params": network.state_dict()}, path)
    return network.eval()
