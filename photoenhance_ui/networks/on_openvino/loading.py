"""Installed files -> networks on a CPU, without torch.

Each function raises ArchitectureUnknown where the room has no graph of the file's architecture, and
WeightsDamaged where the file's weights are not those of its network.
"""

from functools import partial
from pathlib import Path
from typing import TypeVar

from photoenhance_ui.networks.architectures import entry_of
from photoenhance_ui.networks.on_openvino.architectures import (
    DETECTORS,
    PARSERS,
    RESTORERS,
    UPSCALERS,
)
from photoenhance_ui.networks.on_openvino.compiled_networks import (
    CompiledDetector,
    CompiledNetwork,
    CompiledParser,
    CompiledRestorer,
    CompiledUpscaler,
)
from photoenhance_ui.networks.state_dicts import load_arrays, weights_errors_told
from photoenhance_ui.networks.upscaler_weights import read_upscaler
from photoenhance_ui.weights.inventory import Installed


def load_upscaler(found: Installed, companion: Installed | None) -> CompiledUpscaler:
    """The upscaler of an installed file, with that of its companion at the other end of denoise."""
    read = read_upscaler(found, companion)
    layers = entry_of(UPSCALERS, None if read is None else read.architecture)
    assert read is not None
    return CompiledUpscaler(
        found.name, read.scale, layers(read.scale), read.ends,
        multiple=read.multiple, quantized_file=quantized_beside(found.path),
    )  # fmt: skip


def load_detector(found: Installed) -> CompiledDetector:
    """The face detector of an installed file."""
    graph = entry_of(DETECTORS, found.architecture)
    return _checked(CompiledDetector(found.name, partial(load_arrays, found.path), graph), found)


def load_restorer(found: Installed) -> CompiledRestorer:
    """The face restorer of an installed file."""
    graph = entry_of(RESTORERS, found.architecture)
    return _checked(CompiledRestorer(found.name, partial(load_arrays, found.path), graph), found)


def load_parser(found: Installed) -> CompiledParser:
    """The face parser of an installed file."""
    graph = entry_of(PARSERS, found.architecture)
    return _checked(CompiledParser(found.name, partial(load_arrays, found.path), graph), found)


def quantized_beside(weights: Path) -> Path:
    """Where the convolutions in 8 bits lie that come with a file: nobody's own network."""
    return weights.parent / "8bits" / weights.name


Made = TypeVar("Made", bound=CompiledNetwork)


def _checked(network: Made, found: Installed) -> Made:
    """The network, once its graph was built of the file's weights."""
    with weights_errors_told(found.path):
        network.check()
    return network
