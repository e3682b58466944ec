"""The model card: ``python -m training.card --figures benchmarks/results/quality.json``.

Everything with a number in it comes from the weight file's metadata and from the figures that
``benchmarks.quality`` wrote for this very file, so that the card cannot tell of another network.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from benchmarks.quality import Row, table

DEFAULT_WEIGHTS = Path(__file__).parent.parent / "weights" / "builtin.safetensors"

DATA = """\
Photos that their sources state to be CC0 or in the public domain, and nothing else: portraits,
landscapes, scenes and classic test pictures. Every {validation_every}th by name is kept aside for
the curve. The recipe refuses to start where a training photo is (nearly) one of the evaluation
photos, mirrored ones included. No weights of others were used, neither to start from nor to learn
from."""

RECIPE = """\
Sharp patches are made bad on the fly. {clean:.0%} are only made smaller, so that a good photo
stays what it is. {ordinary:.0%} are worn as most photos are: a little soft, averaged down, fine
noise in colour, JPEG. The rest is worn in every way: blur (isotropic, anisotropic, motion,
defocus), made smaller by averaging or by other kernels, sharpening halos, noise (gray or coloured,
Gaussian or growing with the light), JPEG or WebP, and for a part all of it once more. Loss: squared
error of luma, and {colour_weight:g} of that of the colours. Muon for the body's kernels, Adam for
the rest; a short warm-up, then a rate that falls to nearly nothing over the last {cool_down:.0%} of
a run; the published weights are a moving average. Every number is in `training/config.py`, and as
it was lastly in the metadata of the file (`config`); a stage before (above) had those of its
commit."""

LIMITS = """\
- It was trained on two processor cores that other work shared; what it restores of noisy and
  compressed photos still grows slowly with training. A longer run continues it (below).
- It restores edges and takes noise and compression away; it does not invent texture. Hair, grass,
  water and fabric stay soft where the photo no longer holds them. realesr-general-x4v3 looks
  crisper, and is further from the original by the figures above.
- Strong blur is only partly undone. Noise stronger than some 15 levels, or with grains of several
  pixels, leaves coloured worms and blotches, most to be seen in dark and flat parts.
- Line drawings and text were hardly in the data: edges there come out less crisp than an
  illustration network's.
- Faces get no treatment of their own; small ones stay undefined."""


def card(weights: Path, figures: Mapping[str, Any]) -> str:
    """The card of ``weights`` as Markdown. Raises ValueError for figures of another file."""
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    if figures["builtin_sha256"] != sha256:
        raise ValueError("The figures are of another weight file: run benchmarks.quality first.")
    with safe_open(weights, framework="pt") as file:
        told: dict[str, str] = file.metadata()
        parameters = sum(prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    config = json.loads(told["config"])
    rows = [Row(**row) for row in figures["rows"]]
    return "\n\n".join(
        (
            "# The built-in network",
            "Enlarges photos four times and cleans them, on any machine, with no download. This "
            "card is written by `python -m training.card`; do not edit it by hand.",
            _facts(told, config, parameters, weights, sha256),
            "## Data",
            DATA.format(validation_every=config["validation_every"]),
            "## Recipe",
            _recipe(config),
            "## Figures",
            f"Kodak's {figures['photos']} photos, never trained on; luma PSNR and SSIM, border of "
            f"{figures['scale']} pixels cut; seed {figures['seed']}; by `python -m "
            "benchmarks.quality`. clean: averaged down. mild and hard: "
            f"{_told(figures['damages']['mild'])}; {_told(figures['damages']['hard'])}.",
            table(rows),
            f"Their {figures['faces']} faces alone, as RetinaFace MobileNet-0.25 finds them:",
            table(rows, "faces"),
            _time(figures),
            "## Curve",
            _curve(json.loads(told["curve"])),
            "## Limits",
            LIMITS,
            "## Continuing",
            "`python -m training.builtin --photos DIR --exclude EVALUATION_DIR --out "
            "weights/builtin.safetensors --resume --raw weights/raw/builtin.safetensors` goes on "
            "from the raw weights beside this file with a fresh optimizer; with `--state DIR` of "
            "the earlier run it goes on from its checkpoint. Afterwards `python -m "
            "training.quantize` works out its 8 bits anew, which lie in the folder `8bits`.",
            "## Licence",
            "MIT, as the project: weights, recipe and card.",
        )
    ) + "\n"  # fmt: skip


def _facts(
    told: Mapping[str, str], config: Mapping[str, Any], parameters: int, weights: Path, sha256: str
) -> str:
    facts = {
        "File": f"`{weights.name}`, {weights.stat().st_size} bytes, fp16 safetensors",
        "SHA-256": f"`{sha256}`",
        "Architecture": f"{told['architecture']} of the realesrgan package: {told['num_feat']} "
        f"features, {told['num_conv']} convolutions in the body, PReLU, x{told['scale']}",
        "Parameters": f"{parameters}",
        "Training": f"{told['steps']} steps, {float(told['seconds']) / 60:.0f} minutes, "
        f"{told['device']}, seed {config['seed']}; lastly {config['batch']} patches of "
        f"{config['patch_px']}x{config['patch_px']} small pixels in a step",
        "Recipe": ", ".join(
            f"commit {commit} from step {step}" for step, commit in json.loads(told["stages"])
        ),
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def _recipe(config: Mapping[str, Any]) -> str:
    shares = {name: config["degradation"][name] for name in ("clean", "ordinary")}
    return RECIPE.format(
        **shares, colour_weight=config["colour_weight"], cool_down=config["cool_down"]
    )


def _time(figures: Mapping[str, Any]) -> str:
    times = ", ".join(f"{s:.1f} s {name}" for name, s in figures["seconds_1080x1440"].items())
    return (
        f"A photo of 1080x1440 at scale 2, warm, from pixels to pixels, on a CPU with "
        f"{figures['threads']} threads: {times}."
    )


def _told(damage: Mapping[str, Any]) -> str:
    return (
        f"blur {damage['blur_sigma_px']:g} px, averaged down, noise {damage['noise_sigma']:g} "
        f"levels, JPEG {damage['jpeg_quality']}"
    )


def _curve(points: Sequence[Sequence[float]]) -> str:
    lines = [
        "Photos kept aside, made bad as the recipe of the time did: where it changed (above), "
        "values before and after do not compare.",
        "",
        "| step | minutes | PSNR dB of the photos kept aside |",
        "|---|---|---|",
    ]
    lines += [f"| {step:.0f} | {minutes:.0f} | {psnr:.2f} |" for step, minutes, psnr in points]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Write the card beside the weights."""
    parser = argparse.ArgumentParser(prog="training.card", description=__doc__)
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--figures", type=Path, required=True, help="quality.json of these weights")
    given = parser.parse_args(arguments)
    target = given.weights.with_suffix(".md")
    target.write_text(card(given.weights, json.loads(given.figures.read_text())))
    print(f"wrote {target.name}")


if __name__ == "__main__":
    main()
