"""The built-in network in 8 bits: ``python -m training.quantize``, after new weights.

What a machine would work out at its first start comes with the weights, for the ten seconds that it
takes. Whether it is near enough is measured on each machine all the same; and a file that belongs
to other weights is not used. Its whole weights are small enough for any processor: the built-in
network loses 0.2 dB by it (46.7 where it had 46.9).
"""

import argparse
from pathlib import Path

from photoenhance_ui.networks.on_openvino.proofs import fitted
from photoenhance_ui.networks.on_openvino.quantization import (
    LARGEST_IN_PAIRS,
    KeptQuantized,
    write_quantized,
)
from photoenhance_ui.networks.on_torch.upscalers import compile_upscaler, quantized_beside
from photoenhance_ui.weights import BUILTIN, BUILTIN_FILE, Installed


def quantize(weights: Path) -> Path:
    """Write the convolutions of ``weights`` in 8 bits beside them; gives the file."""
    upscaler = compile_upscaler(Installed(BUILTIN, weights), None)
    assert upscaler is not None
    convolutions = fitted(upscaler, 0.0, LARGEST_IN_PAIRS)
    made = KeptQuantized(convolutions, {"fingerprint": upscaler.fingerprint})
    target = quantized_beside(weights)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_quantized(target, made)
    return target


def main(arguments: list[str] | None = None) -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(prog="training.quantize", description=__doc__)
    parser.add_argument("--weights", type=Path, default=BUILTIN_FILE)
    target = quantize(parser.parse_args(arguments).weights)
    print(f"wrote {target.parent.name}/{target.name}")


if __name__ == "__main__":
    main()
