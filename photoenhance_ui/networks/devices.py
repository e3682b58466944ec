"""Where networks can run on this machine, found out without torch where there is no GPU."""

import ctypes
import importlib.util
import logging
import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.settings import PROJECT_DIR

log = logging.getLogger(__name__)

TORCH_PACKAGES = ("torch", "spandrel", "facexlib")
AMD_DRIVER = Path("/dev/kfd")
NVIDIA_LIBRARIES = {"linux": ("libcuda.so.1",), "win32": ("nvcuda.dll",)}
"""What NVIDIA's driver brings: torch's CUDA devices are those that it knows."""


def install_torch() -> str:
    """The command that adds what computes on a GPU, and any network that only torch knows.

    It is to be run in the project's folder, and installs into the environment that runs this.
    """
    # Asked of what is installed: where setuptools is there too, its hook into the import system
    # warns when somebody looks for pip's module.
    if not any(metadata.distributions(name="pip")):  # uv makes environments without
        return "uv pip install -r requirements.txt"
    python = Path(sys.executable)
    told = python.relative_to(PROJECT_DIR) if python.is_relative_to(PROJECT_DIR) else "python"
    return f"{told} -m pip install -r requirements.txt"


def has_torch() -> bool:
    """Whether torch is installed, with what makes its networks of files; nothing is imported."""
    return all(importlib.util.find_spec(name) is not None for name in TORCH_PACKAGES)


def find_device(wanted: str) -> str:
    """Give "cpu", "cuda" or "mps" for ``auto`` or one of these; InvalidSetting where it is absent.

    Importing torch takes more than a second and hundreds of megabytes, so it is asked only where
    a GPU may be there, or was asked for.
    """
    if wanted == "cpu":
        return "cpu"
    if wanted == "auto" and not may_have_gpu():
        return "cpu"
    if not has_torch():
        if wanted == "auto":
            log.warning("gpu_not_used reason=torch_missing remedy=%r", install_torch())
            return "cpu"
        raise InvalidSetting(
            f"The device {wanted} needs torch, which is not installed: {install_torch()} adds it."
        )
    from photoenhance_ui.networks.on_torch.placement import gpus

    there = (*gpus(), "cpu")
    if wanted == "auto":
        return there[0]
    if wanted not in there:
        raise InvalidSetting(f"This machine has no {wanted} device that torch can use.")
    return wanted


def may_have_gpu() -> bool:
    """Whether there are signs of a GPU that torch may know; it may still not be there."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return AMD_DRIVER.exists() or _can_be_loaded(NVIDIA_LIBRARIES.get(sys.platform, ()))


def name_of(device: str) -> str:
    """How a person would call the device."""
    if device == "cpu":
        return f"CPU ({cores()} threads)"
    if device == "mps":
        return "Apple GPU"
    from photoenhance_ui.networks.on_torch.placement import name_of_cuda

    return name_of_cuda()


def cores() -> int:
    """The processors that this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _can_be_loaded(libraries: Sequence[str]) -> bool:
    for library in libraries:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return True
    return False
