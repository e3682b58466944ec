"""Where networks run and in which precision; what a device's errors mean to a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from photoenhance_ui.errors import (
    InvalidSetting,
    MemoryExhausted,
    NetworkFailed,
    PhotoEnhanceError,
)
from photoenhance_ui.networks.on_torch.fused import Fused
from photoenhance_ui.request import Precision

OUT_OF_MEMORY_WORDS = (
    "out of memory", "DefaultCPUAllocator", "can't allocate memory", "Failed to allocate",
)  # fmt: skip
"""How torch, and in the last words OpenVINO, say it where they raise no class of their own."""

TILES_AT_ONCE = {"cuda": 4}
FACES_AT_ONCE = {"cuda": 8}
"""Pictures that a device computes in one batch, by its type; 1 elsewhere.

Not measured: no GPU was at hand. Where memory is too short for them, they are computed singly.
"""


@dataclass(frozen=True)
class Placement:
    """A device and the floating-point type in which networks are kept there."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    fuse: bool = False
    """Whether operations are joined, for speed."""

    @property
    def layout(self) -> torch.memory_format:
        """How pictures lie in memory: a GPU's matrix units want a pixel's channels together."""
        return torch.channels_last if self.device.type == "cuda" else torch.contiguous_format

    def settle(self, network: nn.Module) -> nn.Module:
        """The network on the device, for inference only."""
        placed = network.eval().requires_grad_(False).to(self.device, self.dtype)
        placed = placed.to(memory_format=self.layout)
        return Fused(placed) if self.fuse else placed


def find_device(wanted: str) -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda`` or ``mps``; InvalidSetting where it is absent."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        wanted = next(name for name, is_there in there.items() if is_there)
    if not there[wanted]:
        raise InvalidSetting(f"This machine has no {wanted} device that torch can use.")
    return torch.device(wanted)


def name_of(device: torch.device) -> str:
    """How a person would call the device."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    if device.type == "mps":
        return "Apple GPU"
    return f"CPU ({torch.get_num_threads()} threads)"


def dtype_of(precision: str) -> torch.dtype:
    """The type that upscalers in torch use for a precision."""
    return torch.float16 if precision == Precision.FAST.value else torch.float32


@contextmanager
def errors_told(network: str) -> Iterator[None]:
    """Run a network inside: its foreign errors leave as MemoryExhausted or NetworkFailed."""
    try:
        with torch.inference_mode():
            yield
    except PhotoEnhanceError:
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            raise MemoryExhausted(
                "The machine ran out of memory on this photo. "
                "Try a smaller scale or a smaller --tile-px, and retry."
            ) from error
        raise NetworkFailed(
            f"The network {network} failed on this photo ({type(error).__name__}). "
            "Another upscaler may work; the other photos are not affected."
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in OUT_OF_MEMORY_WORDS)
