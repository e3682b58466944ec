"""The built-in network, as tests of its fast forms share it."""

from pathlib import Path

import pytest

from photoenhance_ui.networks.on_openvino.compiled_networks import (
    CompiledUpscaler,
)
from photoenhance_ui.networks.on_openvino.layers import (
    Quantized,
)
from photoenhance_ui.networks.on_openvino.loading import load_upscaler, quantized_beside
from photoenhance_ui.networks.on_openvino.quantized_files import (
    read_quantized,
)
from photoenhance_ui.weights.inventory import BUILTIN, BUILTIN_FILE, Installed
from tests.networks.on_openvino.shipped import coming_with


@pytest.fixture(scope="module")
def upscaler() -> CompiledUpscaler:
    return load_upscaler(Installed(BUILTIN, BUILTIN_FILE), None)


@pytest.fixture(scope="module")
def in_8_bits() -> Quantized:
    """The convolutions that come with the built-in network."""
    kept = read_quantized(quantized_beside(BUILTIN_FILE))
    assert kept is not None
    return kept.convolutions


@pytest.fixture
def uncalibrated(tmp_path: Path, in_8_bits: Quantized) -> CompiledUpscaler:
    """The built-in network as one that came without a calibration."""
    (tmp_path / "weights").mkdir()
    return coming_with(tmp_path / "weights", in_8_bits, {})
