"""One small fixed case of the built-in network, and what it gave when its weights were committed.

After new weights: ``python -m tests.training.fixed_case`` remembers what they give. The test then
tells a damaged file, a changed architecture or a changed loader from the network as committed.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import Picture, network_enlarger
from photoenhance_ui.weights.inventory import BUILTIN_FILE
from testing.photos import skimage_photo

REMEMBERED = Path(__file__).with_name("fixed_case.json")
SIDE_PX = 96  # of the sharp piece; the network sees a quarter
CELL_PX = 8


def small_piece() -> Picture:
    """(24, 24, 3): the middle of a cat's face, averaged down by numpy alone."""
    sharp = skimage_photo("chelsea", SIDE_PX).astype(np.float64)
    side = SIDE_PX // 4
    return np.asarray(sharp.reshape(side, 4, side, 4, 3).mean(axis=(1, 3)), np.uint8)


def cells() -> NDArray[np.float64]:
    """(24, 12, 3): means and, stacked below them, spreads in the cells of the enlarged piece.

    The spread is what a blurred or a noisy result would change while the means stay.
    """
    enlarged = network_enlarger("builtin", BUILTIN_FILE, "cpu")(small_piece()).astype(np.float64)
    count = SIDE_PX // CELL_PX
    blocks = enlarged.reshape(count, CELL_PX, count, CELL_PX, 3)
    return np.concatenate([blocks.mean(axis=(1, 3)), blocks.std(axis=(1, 3))])


def main() -> None:
    """Remember."""
    content = {
        "sha256": hashlib.sha256(BUILTIN_FILE.read_bytes()).hexdigest(),
        "cells": np.round(cells(), 2).tolist(),
    }
    REMEMBERED.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
