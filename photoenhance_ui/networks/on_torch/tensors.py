"""Pictures to tensors and back: (N, H, W, 3) whole levels <-> (N, 3, H, W) floats."""

import numpy as np
import torch
from torch import Tensor

from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.photo import Pixels, white_of


def to_tensor(images: Pixels, placement: Placement) -> Tensor:
    """Levels -> 0..1, on the device, in its type; what crosses is as small as the levels are."""
    plain = images if images.dtype == np.uint8 else images.astype(np.float32)
    tensor, is_gpu = torch.from_numpy(np.ascontiguousarray(plain)), placement.device.type == "cuda"
    # From pinned memory a GPU fetches by itself, and nobody waits for it.
    levels = (tensor.pin_memory() if is_gpu else tensor).to(placement.device, non_blocking=is_gpu)
    floats = levels.permute(0, 3, 1, 2).to(torch.float32) / white_of(images)
    return floats.to(placement.dtype).contiguous(memory_format=placement.layout)


def to_pixels(output: Tensor, like: Pixels, network: str) -> Pixels:
    """0..1 -> levels of the depth of ``like``, rounded to the nearest, cut off at the ends.

    Raises NetworkFailed where the output is not a number somewhere.
    """
    if not bool(torch.isfinite(output).all()):
        raise NetworkFailed(
            f"The network {network} gave values that are no picture. "
            "Retry with precision exact or another upscaler."
        )
    levels = output.float().clamp_(0, 1).mul_(white_of(like)).round_().permute(0, 2, 3, 1)
    if like.dtype == np.uint8:
        levels = levels.to(torch.uint8)
    return levels.contiguous().cpu().numpy().astype(like.dtype, copy=False)  # type: ignore[return-value]
