"""Convolutions in 8 bits as files: those that come with weights, and those worked out here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from photoenhance_ui.networks.on_openvino.layers import Quantized, QuantizedConvolution
from photoenhance_ui.replacing import replacing

PARTS = "scales", "kernel", "steps", "bias"
"""Arrays of a convolution, as they are kept in a file."""


@dataclass(frozen=True)
class QuantizedFile:
    """Convolutions in 8 bits as a file holds them, and what the file says besides."""

    convolutions: Quantized
    metadata: Mapping[str, str]


def read_quantized(path: Path) -> QuantizedFile | None:
    """What ``write_quantized`` wrote; None where it is not there or not whole."""
    try:
        with safe_open(path, "np") as file:
            metadata: dict[str, str] = file.metadata()
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        convolutions = {
            name: QuantizedConvolution(low, high, *(arrays[f"{name}/{part}"] for part in PARTS))
            for name, (low, high) in json.loads(metadata["ends"]).items()
        }
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return QuantizedFile(convolutions, metadata)


def write_quantized(path: Path, content: QuantizedFile) -> None:
    """One file, whole or not at all. Raises OSError and SafetensorError."""
    ends = {name: (made.low, made.high) for name, made in content.convolutions.items()}
    arrays = {
        f"{name}/{part}": getattr(made, part)
        for name, made in content.convolutions.items()
        for part in PARTS
    }
    with replacing(path) as part:
        save_file(arrays, part, {**content.metadata, "ends": json.dumps(ends)})
        part.chmod(0o644)  # safetensors writes for the owner alone
