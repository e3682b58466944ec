"""Seeded random weights of upscalers, made without torch, through which a picture survives."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.networks.shapes import Shapes, rrdb_shapes, srvgg_shapes

DENSE_SHARE = 0.1  # of blocks whose answers are added to what they take
LAST_GAIN = 20  # on random layers, less and less is left of a picture

Weights = dict[str, NDArray[Any]]


def random_srvgg(features: int, convolutions: int, scale: int, seed: int = 0) -> Weights:
    """SRVGGNetCompact; the picture itself is added to what its layers give."""
    return _random(srvgg_shapes(features, convolutions, scale), seed)


def random_rrdb(blocks: int, scale: int, seed: int = 0) -> Weights:
    """RRDBNet; its values lie around the middle, where little is cut off."""
    weights = _random(rrdb_shapes(blocks, scale), seed)
    weights["conv_last.weight"] *= LAST_GAIN
    weights["conv_last.bias"] += np.float32(0.5)
    return weights


def _random(shapes: Shapes, seed: int) -> Weights:
    chance = np.random.default_rng(seed)

    def values(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if name.endswith(".bias"):
            return np.zeros(shape)
        if len(shape) == 1:  # leaks
            return chance.uniform(-0.2, 0.6, shape)
        most = (DENSE_SHARE if ".rdb" in name else 1) * np.prod(shape[1:]) ** -0.5
        return chance.uniform(-most, most, shape)

    return {name: values(name, shape).astype(np.float32) for name, shape in shapes.items()}
