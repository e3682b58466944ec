"""A checkpoint -> the network files: ``python -m training.export --state DIR --out FILE``.

Two small files: the averaged weights, which the app uses, and in the folder ``raw`` beside them
the weights as they were learned, from which a later run goes on.
"""

import argparse
import csv
import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from photoenhance_ui.replacing import replacing
from training.config import Config

CURVE = "curve.csv"
CHECKPOINT = "checkpoint.pt"
CURVE_POINTS = 12  # as many as the model card shows


def write_pair(target: Path, kept: Mapping[str, Any], config: Config, curve: Path) -> None:
    """Write ``target`` and its raw companion from the content of a checkpoint."""
    described = metadata(kept, config, curve)
    _write(target, kept["average"], described)
    _write(raw_beside(target), kept["raw"], described)


def raw_beside(target: Path) -> Path:
    """Where nobody takes them for a network of their own: in the folder ``raw``."""
    return target.parent / "raw" / target.name


def metadata(kept: Mapping[str, Any], config: Config, curve: Path) -> dict[str, str]:
    """What a loader must know to build the network, and a reader to judge it."""
    shape = config.architecture
    return {
        "architecture": "SRVGGNetCompact",
        "num_feat": str(shape.num_feat),
        "num_conv": str(shape.num_conv),
        "scale": str(shape.scale),
        "stages": json.dumps(kept["stages"]),
        "steps": str(kept["step"]),
        "seconds": f"{kept['seconds']:.0f}",
        "device": str(kept.get("device", "unknown")),
        "config": json.dumps(asdict(config)),
        "curve": json.dumps(curve_points(curve)),
    }


def history(weights: Path) -> tuple[int, float, list[list[Any]]]:
    """Steps, seconds, and stages [first step, commit of the recipe] behind an exported file."""
    with safe_open(weights, framework="pt") as file:
        told: dict[str, str] = file.metadata()
    return int(told["steps"]), float(told["seconds"]), json.loads(told["stages"])


def curve_points(curve: Path) -> list[list[float]]:
    """[step, minutes, validation PSNR in dB] at no more than CURVE_POINTS even places."""
    if not curve.is_file():
        return []
    with curve.open(newline="") as file:
        points = [
            [float(row[name]) for name in ("step", "minutes", "validation_psnr_db")]
            for row in csv.DictReader(file)
            if row["validation_psnr_db"]
        ]
    last = len(points) - 1
    places = sorted({round(i * last / (CURVE_POINTS - 1)) for i in range(CURVE_POINTS)})
    return [points[place] for place in places if place >= 0]


def recipe_commit() -> str:
    """The last commit that changed the recipe; "unknown" outside a checkout."""
    here = Path(__file__).parent
    done = subprocess.run(
        ["git", "log", "-1", "--format=%h", "--", "."],
        cwd=here, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"


def _write(target: Path, weights: Mapping[str, Tensor], described: dict[str, str]) -> None:
    """fp16 safetensors; whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = {name: value.detach().cpu().half().contiguous() for name, value in weights.items()}
    with replacing(target) as part:
        save_file(half, part, metadata=described)
        part.chmod(0o644)  # safetensors writes for the owner alone; the app may run as another user


def main(arguments: list[str] | None = None) -> None:
    """Read the checkpoint, write the two files."""
    parser = argparse.ArgumentParser(prog="training.export", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    given = parser.parse_args(arguments)
    kept = torch.load(given.state / CHECKPOINT, weights_only=True, map_location="cpu")
    write_pair(given.out, kept, Config(), given.state / CURVE)
    print(f"wrote {given.out.name} as of step {kept['step']}")


if __name__ == "__main__":
    main()
