"""Weight files -> state dicts, loaded so that a file cannot run code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from photoenhance_ui.errors import WeightsDamaged

Value = TypeVar("Value", Tensor, NDArray[np.float32])
STATE_KEYS = ("params_ema", "params")
"""Where the authors' files keep the weights; the averaged ones are preferred."""


def load_state_dict(path: Path) -> dict[str, Tensor]:
    """The weights in a ``.pth`` or ``.safetensors`` file, on the CPU, as 32-bit floats.

    Raises WeightsDamaged where the file cannot be read as such.
    """
    try:
        if path.suffix == ".safetensors":
            loaded: Any = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's unpickler trips over a cut file in a dozen ways
        raise damaged(path) from error
    for key in STATE_KEYS:
        if isinstance(loaded, Mapping) and key in loaded:
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in loaded.items()
    ):
        raise damaged(path)
    return {
        key.removeprefix("module."): value.float() if value.is_floating_point() else value
        for key, value in loaded.items()
    }


def read_metadata(path: Path) -> dict[str, str]:
    """The text entries of a safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise damaged(path) from error


def as_arrays(state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """The numbers in 32 bits, for graphs."""
    return {k: v.numpy() for k, v in state.items() if v.is_floating_point()}


def load_arrays(path: Path) -> dict[str, NDArray[np.float32]]:
    """The numbers of a weight file, for graphs. Raises WeightsDamaged."""
    return as_arrays(load_state_dict(path))


def interpolated(
    first: Mapping[str, Value], second: Mapping[str, Value], share: float
) -> dict[str, Value]:
    """Weights between those of two networks of one shape; ``share`` 0..1 is that of the first.

    Deep network interpolation (Wang et al., CVPR 2019), as Real-ESRGAN uses it for
    realesr-general-x4v3: ``denoise * general + (1 - denoise) * wdn``.
    """
    return {key: share * value + (1 - share) * second[key] for key, value in first.items()}


@contextmanager
def graph_errors_told(path: Path) -> Iterator[None]:
    """Build a graph inside; WeightsDamaged where the file's weights are not its own."""
    try:
        yield
    except Exception as error:  # a missing name, a wrong shape: as many errors as layers
        raise damaged(path) from error


def fill(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> nn.Module:
    """The network with these weights; WeightsDamaged where they are not its own."""
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise damaged(path) from error
    return network


def damaged(path: Path) -> WeightsDamaged:
    """What is wrong with a file that cannot be used."""
    return WeightsDamaged(
        f"The file {path.name} is damaged or holds another network. Download it again."
    )
