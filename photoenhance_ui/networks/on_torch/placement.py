"""Where torch keeps networks, and in which floating-point type."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from photoenhance_ui.networks.on_torch.torch_compile import TorchCompiled


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

    def in_type(self, dtype: torch.dtype) -> "Placement":
        """The same place, for another floating-point type."""
        return replace(self, dtype=dtype)

    def settle(self, network: nn.Module) -> nn.Module:
        """The network itself, moved to the device and only for inference."""
        placed = network.eval().requires_grad_(False).to(self.device, self.dtype)
        placed = placed.to(memory_format=self.layout)
        return TorchCompiled(placed) if self.fuse else placed


def gpus() -> tuple[str, ...]:
    """The GPUs that torch can use, the fastest kind first: of "cuda" and "mps"."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return tuple(kind for kind, is_there in there.items() if is_there)


def name_of_cuda() -> str:
    """How the maker calls the first CUDA device."""
    return str(torch.cuda.get_device_name())
