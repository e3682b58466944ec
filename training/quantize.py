"""The built-in network in 8 bits: ``python -m training.quantize``, after new weights.

What a machine would work out at its first start comes with the weights, for the ten seconds that
it takes, and with how near it was measured to be. Each machine measures that again once it rests;
and a file that belongs to other weights, or to another OpenVINO, is not believed. Its whole
weights are small enough for any processor: the built-in network loses 0.2 dB by it (46.7 where it
had 46.9).
"""

import argparse
from pathlib import Path

from photoenhance_ui.networks.on_openvino.calibration import calibrate_upscaler, fitted
from photoenhance_ui.networks.on_openvino.calibration_store import metadata_of, openvino_version
from photoenhance_ui.networks.on_openvino.loading import load_upscaler, quantized_beside
from photoenhance_ui.networks.on_openvino.quantized_files import QuantizedFile, write_quantized
from photoenhance_ui.networks.on_openvino.whole_sums import MAX_WEIGHT_IN_PAIRS
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed


def quantize(weights: Path) -> Path:
    """Write the convolutions of ``weights`` in 8 bits beside them; gives the file."""
    upscaler = load_upscaler(Installed(BUILTIN, weights), None)
    metadata = {"fingerprint": upscaler.fingerprint, "openvino": openvino_version()}
    convolutions, target = fitted(upscaler, 0.0, MAX_WEIGHT_IN_PAIRS), quantized_beside(weights)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_quantized(target, QuantizedFile(convolutions, metadata))
    calibration = calibrate_upscaler(upscaler, 0.0)  # with what was just written
    write_quantized(target, QuantizedFile(convolutions, {**metadata, **metadata_of(calibration)}))
    return target


def main(arguments: list[str] | None = None) -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(prog="training.quantize", description=__doc__)
    parser.add_argument("--weights", type=Path, default=BUILTIN_FILE)
    target = quantize(parser.parse_args(arguments).weights)
    print(f"wrote {target.parent.name}/{target.name}")


if __name__ == "__main__":
    main()
