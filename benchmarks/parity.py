"""Ours beside the reference on real photos: ``python -m benchmarks.parity``.

``GFPGANer`` with ``RealESRGANer`` of the installed packages and our exact path get the same
full-size networks with seeded random weights, the same real face detector, tiles and noise. The
results must be at least 50 dB alike, and nowhere off by more than 3 levels outside the border in
which a face is blended in: there the reference interpolates its mask in steps of 1/32 pixel.

Needs the photos and the detector's file of a data folder (``--data``).
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from photoenhance_ui.images.difference import psnr_db
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline.enhancer import Enhanced, blend
from photoenhance_ui.pipeline.faces import way_back
from photoenhance_ui.pipeline.plan import Choice, make_plan
from photoenhance_ui.request import RESAMPLE_ONLY, Request
from photoenhance_ui.settings import PROJECT_DIR, Settings
from photoenhance_ui.weights.inventory import installed
from testing import reference, seeded_weights
from testing.driver import enhanced

RESULT = PROJECT_DIR / "benchmarks" / "results" / "parity.json"
PHOTOS = {
    1: "one-face-418x520.jpg",
    2: "two-faces-700x464.jpg",
    3: "three-faces-783x1146.png",
}
LONGEST_PX = 400
BACKGROUNDS = {2.0: seeded_weights.X2PLUS_FILE, 4.0: seeded_weights.X4PLUS_FILE}
LEAST_PSNR_DB, MOST_LEVELS_OFF = 50.0, 3
BORDER_MARGIN = 1e-3


def blend_border(result: Enhanced) -> NDArray[np.bool_]:
    """(H, W) True where some face is neither fully pasted nor absent."""
    height, width = result.background.shape[:2]
    border = np.zeros((height, width), bool)
    for face in result.faces:
        assert face.mask is not None
        mask = cv2.warpAffine(face.mask, way_back(face.matrix, result.scale), (width, height))
        border |= (mask > BORDER_MARGIN) & (mask < 1 - BORDER_MARGIN)
    return border


@dataclass(frozen=True, eq=False)
class Case:
    """One photo with so many faces, and what is to be done to it."""

    photo: Photo
    faces: int
    scale: float
    background: str | None


@dataclass(frozen=True)
class Figures:
    """One case; levels of 255."""

    faces: int
    background: str
    scale: float
    size: str
    psnr_db: float
    most_levels_off: int
    most_levels_off_in_the_border: int
    reference_s: float
    """With loading the networks: this is no measure of speed."""
    ours_s: float

    @property
    def passed(self) -> bool:
        """Whether it is as alike as is promised."""
        return self.psnr_db >= LEAST_PSNR_DB and self.most_levels_off <= MOST_LEVELS_OFF


def compared(case: Case, folder: Path, networks: Networks) -> Figures:
    """Enhance one photo both ways. Raises where the number of faces is not that expected."""
    began = time.perf_counter()
    theirs, found = _by_the_reference(case, folder)
    reference_s = time.perf_counter() - began
    began = time.perf_counter()
    result = _by_us(case, networks)
    ours = blend(result, 1.0).pixels
    ours_s = time.perf_counter() - began
    if not case.faces == found == len(result.faces):
        raise SystemExit(f"{case.faces} faces expected, {found} and {len(result.faces)} found")
    apart = np.abs(ours.astype(int) - theirs).max(axis=2)
    border = blend_border(result)
    return Figures(
        faces=case.faces,
        background=case.background or "none",
        scale=case.scale,
        size=f"{case.photo.size.width}x{case.photo.size.height}",
        psnr_db=round(psnr_db(ours, theirs), 2),
        most_levels_off=int(apart[~border].max()),
        most_levels_off_in_the_border=int(apart[border].max(initial=0)),
        reference_s=round(reference_s, 1),
        ours_s=round(ours_s, 1),
    )


def _by_the_reference(case: Case, folder: Path) -> tuple[reference.Picture, int]:
    upsampler = None if case.background is None else reference.background(folder, case.background)
    detector = reference.mobilenet_detector(folder / seeded_weights.MOBILENET_FILE)
    restorer = reference.gfpganer(folder, detector, case.scale, upsampler)
    return reference.reference_result(restorer, case.photo.pixels)


def _by_us(case: Case, networks: Networks) -> Enhanced:
    detector, restorer, parser = (
        Path(file).stem
        for file in (
            seeded_weights.MOBILENET_FILE,
            seeded_weights.GFPGAN_FILE,
            seeded_weights.PARSENET_FILE,
        )
    )
    upscaler = RESAMPLE_ONLY if case.background is None else Path(case.background).stem
    plan = make_plan(
        case.photo.size, Request(scale=case.scale), Choice(upscaler, detector, restorer, parser),
        networks.facts(), tile_px=reference.TILE_PX, overlap_px=reference.TILE_PAD_PX,
    )  # fmt: skip
    return enhanced(case.photo, plan, networks)


def cases(data: Path, folder: Path) -> Iterator[Figures]:
    """One, two and three faces, with and without a background network, at scales 2 and 4."""
    shutil.copy(data / "weights" / seeded_weights.MOBILENET_FILE, folder)
    seeded_weights.write_random_weights(
        folder, (seeded_weights.GFPGAN_FILE, seeded_weights.PARSENET_FILE, *BACKGROUNDS.values())
    )
    settings = Settings(device="cpu", offline=True, weights_dir=folder, trust_weights=True)
    networks = Networks(installed(settings), settings)
    for faces, name in PHOTOS.items():
        with Image.open(data / "photos" / name) as image:
            image = image.convert("RGB")  # noqa: PLW2901 - the picture, whatever its mode
            image.thumbnail((LONGEST_PX, LONGEST_PX))
            photo = Photo(np.asarray(image).copy(), name, "PNG")
        for scale, background in BACKGROUNDS.items():
            for network in (None, background):
                yield compared(Case(photo, faces, scale, network), folder, networks)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every case, print each as it is done, and write them all."""
    parser = argparse.ArgumentParser(prog="benchmarks.parity", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with photos and weights")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args(arguments)
    done = []
    with tempfile.TemporaryDirectory() as folder:
        for figures in cases(given.data, Path(folder)):
            done.append(figures)
            print("passed" if figures.passed else "FAILED", asdict(figures), flush=True)
    given.out.parent.mkdir(exist_ok=True)
    machine = {"device": "cpu", "threads": torch.get_num_threads(), "torch": torch.__version__}
    content = {
        "least_psnr_db": LEAST_PSNR_DB,
        "most_levels_off": MOST_LEVELS_OFF,
        "passed": all(figures.passed for figures in done),
        "machine": machine,
        "cases": [asdict(figures) for figures in done],
    }
    given.out.write_text(json.dumps(content, indent=1) + "\n")
    if not content["passed"]:
        raise SystemExit("The results are not as alike as is promised.")


if __name__ == "__main__":
    main()
