"""The built-in network with other convolutions in 8 bits beside it."""

import shutil
from pathlib import Path

from photoenhance_ui.networks.on_openvino.compiled_networks import (
    CompiledUpscaler,
)
from photoenhance_ui.networks.on_openvino.layers import (
    Quantized,
)
from photoenhance_ui.networks.on_openvino.loading import load_upscaler, quantized_beside
from photoenhance_ui.networks.on_openvino.quantized_files import (
    QuantizedFile,
    write_quantized,
)
from photoenhance_ui.weights.inventory import BUILTIN, BUILTIN_FILE, Installed


def coming_with(
    folder: Path, convolutions: Quantized, metadata: dict[str, str]
) -> CompiledUpscaler:
    """The built-in network in a file beside which other convolutions in 8 bits lie."""
    path = Path(shutil.copy(BUILTIN_FILE, folder))
    beside = quantized_beside(path)
    beside.parent.mkdir()
    found = load_upscaler(Installed(BUILTIN, path), None)
    write_quantized(
        beside, QuantizedFile(convolutions, {"fingerprint": found.fingerprint, **metadata})
    )
    return found
