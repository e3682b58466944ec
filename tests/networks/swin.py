"""A small network of an architecture that only torch knows here."""

import warnings
from typing import Any


def swin(**changed: Any) -> dict[str, Any]:
    """A small SwinIR, whose depth and windows are told by names and shapes."""
    from spandrel.architectures.SwinIR import SwinIR

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch tells what it is going to change
        network = SwinIR(
            upscale=2, img_size=16, window_size=8, depths=[2, 2], embed_dim=12, num_heads=[2, 2],
            mlp_ratio=2, upsampler="pixelshuffle",
        )  # fmt: skip
    return {**network.state_dict(), **changed}
