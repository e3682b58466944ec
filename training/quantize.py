"""The built-in network in 8 bits: ``python -m training.quantize``, after new weights.

What a machine would work out at its first start comes with the weights, for the ten seconds that
it takes, and with how near it was measured to be. Each machine measures that again once it rests;
and a file that belongs to other weights, or to another OpenVINO, is not believed. Its whole
weights are small enough for any processor: the built-in network loses 0.2 dB by it (46.7 where it
had 46.9).
"""

import argparse
from pathlib import Path

from photoenhance_ui.networks.on_openvino.backend import compile_upscaler, quantized_beside
from photoenhance_ui.networks.on_openvino.proofs import (
    fitted,
    openvino_version,
    prove_upscaler,
    told_of,
)
from photoenhance_ui.networks.on_openvino.quantization import (
    LARGEST_IN_PAIRS,
    KeptQuantized,
    write_quantized,
)
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.weights import BUILTIN_FILE, Installed


def quantize(weights: Path) -> Path:
    """Write the convolutions of ``weights`` in 8 bits beside them; gives the file."""
    upscaler = compile_upscaler(Installed(BUILTIN, weights), None)
    assert upscaler is not None
    told = {"fingerprint": upscaler.fingerprint, "openvino": openvino_version()}
    convolutions, target = fitted(upscaler, 0.0, LARGEST_IN_PAIRS), quantized_beside(weights)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_quantized(target, KeptQuantized(convolutions, told))
    proof = prove_upscaler(upscaler, 0.0)  # with what was just written
    write_quantized(target, KeptQuantized(convolutions, {**told, **told_of(proof)}))
    return target


def main(arguments: list[str] | None = None) -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(prog="training.quantize", description=__doc__)
    parser.add_argument("--weights", type=Path, default=BUILTIN_FILE)
    target = quantize(parser.parse_args(arguments).weights)
    print(f"wrote {target.parent.name}/{target.name}")


if __name__ == "__main__":
    main()
