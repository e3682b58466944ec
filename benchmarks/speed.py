"""Ours beside the reference, resident and warm, interleaved: ``python -m benchmarks.speed``.

The reference is ``GFPGANer`` with ``RealESRGANer`` x2plus as its authors' script sets them up (tile
400, pad 10), noise fixed. Ours runs four times: ``exact``, ``fast`` and ``8 bits`` with the same
weights, and ``default`` with what ``auto`` takes on a CPU. The large networks have seeded random
weights at full size, so cost and equality are real and looks are not; the general network and the
detector are the real ones of ``--data``. Random weights cannot prove a fast form, so x2plus is told
to take bfloat16 in ``fast``, and 8 bits in ``8 bits``, which is what its real file gives where it
passes that gate. The forms that were proven are written beside the figures. A ratio is given only
where the exact result is at least 45 dB like the reference's. Also: how soon the first photo of a
batch comes, and how long those of three people wait. ``--parts large`` takes photos of 12 and 24
megapixels, for which the reference needs the better part of an hour: once, and as by default alone.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import openvino
import torch
from matplotlib.figure import Figure
from PIL import Image
from skimage import data as sample_photos
from skimage.io import imread

from benchmarks.memory import forget_peak, photo_of, resident_mb
from benchmarks.peak import peak_gflops
from photoenhance_ui.catalogue import by_name
from photoenhance_ui.engine.engine import open_engine
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.engine.memory import give_back_freed
from photoenhance_ui.engine.photo_steps import plan_for
from photoenhance_ui.events import Rendered, Started
from photoenhance_ui.images.difference import psnr_db
from photoenhance_ui.networks.calibration_pictures import crops
from photoenhance_ui.networks.loader import CALIBRATIONS_FOLDER
from photoenhance_ui.networks.on_openvino.calibration import Calibration
from photoenhance_ui.networks.on_openvino.calibration_store import CalibrationStore
from photoenhance_ui.networks.on_openvino.compilation import has_bfloat16
from photoenhance_ui.networks.on_openvino.compiled_networks import CompiledUpscaler
from photoenhance_ui.networks.on_openvino.loading import load_upscaler
from photoenhance_ui.networks.on_openvino.quantization import quantized
from photoenhance_ui.networks.on_openvino.whole_sums import largest_weight
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline.enhancer import blend
from photoenhance_ui.pipeline.plan import FACE_OPERATIONS, choose_networks
from photoenhance_ui.request import Faces, Precision, Request
from photoenhance_ui.settings import PROJECT_DIR, Settings
from photoenhance_ui.weights.inventory import installed
from testing import reference, seeded_weights
from testing.driver import enhanced

RESULTS = PROJECT_DIR / "benchmarks" / "results"
SCALE = 2.0
LEAST_DB = 45.0
WAYS = ("reference", "exact", "fast", "8 bits", "default")
X2PLUS = Path(seeded_weights.X2PLUS_FILE).stem
FACE_PHOTOS = {
    1: "one-face-418x520.jpg",
    2: "two-faces-700x464.jpg",
    3: "three-faces-783x1146.png",
}
RARE_MEGAPIXELS, RARE_RUNS = 1.5, 1
"""From this size on a photo takes minutes, so one run must do."""
LARGE_MEGAPIXELS, LARGE_WAYS, MIDDLE_PX = (12.0, 24.0), ("reference", "default"), 512
PARTS = ("photos", "waiting", "large")
BATCH_SIZE, BATCH_SIDE_PX = 20, 256

Way = Callable[[Photo], np.ndarray[Any, Any]]


@dataclass
class Case:
    """One photo, enlarged twice, in every way."""

    photo: str
    size: str
    faces: int
    operations: float
    """Multiply-adds of the exact way, as planned."""
    seconds: dict[str, list[float]] = field(default_factory=dict)
    most_mb: dict[str, float] = field(default_factory=dict)
    """Memory that a run took at most, beyond what was resident before it: not its networks, but
    for the first photo with a face, for which ours are compiled."""
    exact_db: float = 0.0
    """Likeness of the exact result to the reference's; of large photos, that of their middles."""

    @property
    def ratios(self) -> dict[str, float]:
        """How many times as fast as the reference, by medians; none without the gate."""
        if self.exact_db < LEAST_DB:
            return {}
        ours = {way: times for way, times in self.seconds.items() if way != "reference"}
        theirs = median(self.seconds["reference"])
        return {way: round(theirs / median(times), 2) for way, times in ours.items()}

    @property
    def spread(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest ratio of one run to the reference beside it."""
        if self.exact_db < LEAST_DB:
            return {}
        theirs = self.seconds["reference"]
        return {
            way: (round(min(each), 2), round(max(each), 2))
            for way, times in self.seconds.items()
            if way != "reference" and (each := [t / o for t, o in zip(theirs, times, strict=True)])
        }

    @property
    def p95(self) -> dict[str, float]:
        """Seconds within which 95 of 100 runs were done."""
        return {w: round(float(np.percentile(t, 95)), 3) for w, t in self.seconds.items()}

    def share_of_peak(self, peak_gflops: float) -> float | None:
        """GFLOP/s of the exact way, where it ran, to the machine's; a multiply-add counts two."""
        if "exact" not in self.seconds:
            return None
        return round(2 * self.operations / median(self.seconds["exact"]) / 1e9 / peak_gflops, 3)


def our_ways(settings: Settings) -> dict[str, tuple[Networks, Request]]:
    """All but the reference; ``settings`` are those of ``settings_of``, with x2plus."""
    bfloat16 = Calibration("bfloat16" if has_bfloat16() else None, 0.0, 0.0)
    networks = _networks(settings, bfloat16)
    apart = replace(settings, cache_dir=settings.cache_dir / "assumed")
    exact = Request(scale=SCALE, upscaler=X2PLUS, precision=Precision.EXACT, face_strength=1.0)
    fast = replace(exact, precision=Precision.FAST)
    return {
        "exact": (networks, exact),
        "fast": (networks, fast),
        "8 bits": (_networks(apart, _in_8_bits(settings)), fast),
        "default": (networks, Request(scale=SCALE)),
    }


def our_way(networks: Networks, request: Request) -> Way:
    """One photo from pixels to pixels, as the engine does it."""

    def run(photo: Photo) -> np.ndarray[Any, Any]:
        choice = choose_networks(request.upscaler, request.scale, networks.facts())
        plan = plan_for(photo.size, request, choice, networks)
        return blend(enhanced(photo, plan, networks), request.face_strength).pixels

    return run


def their_way(folder: Path) -> Way:
    """The reference, resident."""
    with _tiles_of_the_script():
        upsampler = reference.background(folder, seeded_weights.X2PLUS_FILE)
    detector = reference.mobilenet_detector(folder / seeded_weights.MOBILENET_FILE)
    restorer = reference.gfpganer(folder, detector, SCALE, upsampler)
    return lambda photo: reference.reference_result(restorer, photo.pixels)[0]


class _tiles_of_the_script:  # noqa: N801 - used like a function
    """The authors' script cuts at 400 pixels; the parity tests at fewer."""

    def __enter__(self) -> None:
        self._before = reference.TILE_PX
        reference.TILE_PX = 400

    def __exit__(self, *_: object) -> None:
        reference.TILE_PX = self._before


def photos_of(data: Path) -> list[tuple[int, Photo]]:
    """Without a face from scikit-image, with faces from the data folder."""
    photos = [(0, Photo(sample_photos.coffee(), "coffee", "PNG"))]
    for faces, name in FACE_PHOTOS.items():
        with Image.open(data / "photos" / name) as image:
            photos.append((faces, Photo(np.asarray(image.convert("RGB")).copy(), name, "PNG")))
    return [*photos, (1, _large(RARE_MEGAPIXELS))]


def _large(megapixels: float) -> Photo:
    with tempfile.TemporaryDirectory() as folder:
        path = photo_of(megapixels, Path(folder) / "large.jpg")
        return Photo(imread(path), "large", "PNG")


def measured(photo: Photo, faces: int, ways: Mapping[str, Way], runs: int) -> Case:
    """Every way in turn, as often as asked; the exact result held to the reference's."""
    case = Case(photo.name, str(photo.size), faces, _operations(photo, faces))
    results: dict[str, np.ndarray[Any, Any]] = {}
    for run in range(runs):
        turn = run % len(ways)
        for name in (*list(ways)[turn:], *list(ways)[:turn]):
            give_back_freed()
            forget_peak()
            resident, began = resident_mb(), time.perf_counter()
            results[name] = ways[name](photo)
            case.seconds.setdefault(name, []).append(round(time.perf_counter() - began, 3))
            took_mb = round(resident_mb("VmHWM") - resident, 1)
            case.most_mb[name] = max(took_mb, case.most_mb.get(name, 0.0))
    if "exact" in results:
        case.exact_db = _likeness_db(results["exact"], results["reference"])
    return case


def measured_large(megapixels: float, ways: Mapping[str, Way]) -> Case:
    """Once, in few ways; the exact result of the photo's middle held to the reference's."""
    photo = _large(megapixels)
    case = measured(photo, 1, {way: ways[way] for way in LARGE_WAYS}, RARE_RUNS)
    top, left = ((side - MIDDLE_PX) // 2 for side in photo.pixels.shape[:2])
    middle = np.ascontiguousarray(photo.pixels[top : top + MIDDLE_PX, left : left + MIDDLE_PX])
    part = replace(photo, pixels=middle)
    case.exact_db = _likeness_db(ways["exact"](part), ways["reference"](part))
    return case


def _likeness_db(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> float:
    return round(psnr_db(ours, theirs), 2)


def _operations(photo: Photo, faces: int) -> float:
    x2plus = by_name(X2PLUS)
    assert x2plus is not None and x2plus.operations_per_pixel is not None
    return photo.size.pixels * x2plus.operations_per_pixel + faces * FACE_OPERATIONS


# Waiting


def first_of_a_batch(networks: Networks, settings: Settings, runs: int) -> dict[str, Any]:
    """Seconds to the first of 20 photos of one person beside that of a lone photo."""
    lone, first = [], []
    with open_engine(settings, networks=networks) as engine:
        _arrivals(engine, ["a"])  # the fast form is measured at its first use
        for _ in range(runs):
            lone.append(_arrivals(engine, ["a"])[0][1])
            first.append(_arrivals(engine, ["a"] * BATCH_SIZE)[0][1])
    ratio = round(median(first) / median(lone), 3)
    return {"photos": BATCH_SIZE, "side_px": BATCH_SIDE_PX, "lone_s": lone, "first_s": first,
            "first_to_lone": ratio}  # fmt: skip


def first_of_three_people(networks: Networks, settings: Settings) -> dict[str, Any]:
    """How many photos of each other person are begun before somebody's first."""
    with open_engine(settings, networks=networks) as engine:
        _arrivals(engine, ["a"])
        order = [owner for owner, _ in _arrivals(engine, ["a"] * 8 + ["b"] * 8 + ["c"] * 8)]
    ahead = {
        owner: max(order[: order.index(owner)].count(other) for other in "abc" if other != owner)
        for owner in "abc"
    }
    return {"order": "".join(order), "most_of_another_ahead_of_the_first": ahead}


def _arrivals(engine: Engine, owners: Sequence[str]) -> list[tuple[str, float]]:
    """Photos of these owners at once: (owner, seconds until done), in the order of beginning."""
    side = BATCH_SIDE_PX
    photo = Photo(np.ascontiguousarray(sample_photos.astronaut()[:side, :side]), "a", "PNG")
    request = Request(upscaler="builtin", faces=Faces.NONE)
    choice = choose_networks(request.upscaler, request.scale, engine.facts())
    begins: list[tuple[float, str, float]] = []
    start = time.perf_counter()

    def follow(number: int) -> None:
        owner, began = owners[number], 0.0
        for event in engine.enhance(f"{start}-{number}", owner, photo, request, choice):
            if isinstance(event, Started):
                began = time.perf_counter() - start
            if isinstance(event, Rendered):
                begins.append((began, owner, round(time.perf_counter() - start, 4)))

    with ThreadPoolExecutor(len(owners)) as threads:
        list(threads.map(follow, range(len(owners))))
    return [(owner, done) for _, owner, done in sorted(begins)]


# Telling


def table(cases: Sequence[Case]) -> str:
    """Medians and ratios in Markdown."""
    heads = ("photo", "faces", *WAYS, "exact to reference")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for case in cases:
        cells = []
        for way in WAYS:
            ratio, seconds = case.ratios.get(way), case.seconds.get(way)
            times = f" ({ratio:.1f}x)" if ratio is not None else ""
            cells.append(f"{median(seconds):.1f} s{times}" if seconds else "")
        lines.append(
            f"| {case.photo} {case.size} | {case.faces} | {' | '.join(cells)} "
            f"| {case.exact_db:.1f} dB |"
        )
    return "\n".join(lines)


def plot(cases: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Seconds for each photo and way, as they are kept, on a logarithmic axis."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for index, way in enumerate(WAYS):
        ran = [(number, case) for number, case in enumerate(cases) if way in case["seconds"]]
        places = [number + 0.16 * (index - 2) for number, _ in ran]
        axes.bar(places, [median(case["seconds"][way]) for _, case in ran], width=0.15, label=way)
    axes.set(yscale="log", ylabel="seconds", xticks=range(len(cases)))
    axes.set_xticklabels([f"{case['faces']} faces\n{case['size']}" for case in cases])
    axes.legend()
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="benchmarks.speed", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with photos and weights")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS[:2])
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        settings = seeded_weights.settings_of(folder, given.data, (seeded_weights.X2PLUS_FILE,))
        ours = our_ways(settings)
        networks = ours["default"][0]
        ways = {"reference": their_way(folder)} | {
            name: our_way(*networks_and_request) for name, networks_and_request in ours.items()
        }
        assert tuple(ways) == WAYS
        warm = Photo(np.ascontiguousarray(sample_photos.astronaut()[:96, :96]), "warm", "PNG")
        for way in ways.values():
            way(warm)
        peak = peak_gflops()
        measure: Mapping[str, Callable[[], dict[str, Any]]] = {
            "photos": lambda: {
                **_told(_cases(given.data, ways, given.runs), peak, given.runs),
                "forms": _forms(settings),
            },
            "waiting": lambda: {
                "first_of_a_batch": first_of_a_batch(networks, settings, given.runs),
                "first_of_three_people": first_of_three_people(networks, settings),
            },
            "large": lambda: {"large": _told(_large_cases(ways), peak, RARE_RUNS)},
        }
        for part in given.parts:
            figures = measure[part]()
            if part == "waiting":
                print(json.dumps(figures, indent=1), flush=True)
            _keep(given.out, figures)


def _cases(data: Path, ways: Mapping[str, Way], runs: int) -> Iterator[Case]:
    for faces, photo in photos_of(data):
        is_rare = photo.size.pixels >= RARE_MEGAPIXELS * 1e6
        yield measured(photo, faces, ways, RARE_RUNS if is_rare else runs)


def _large_cases(ways: Mapping[str, Way]) -> Iterator[Case]:
    return (measured_large(megapixels, ways) for megapixels in LARGE_MEGAPIXELS)


def _networks(settings: Settings, of_x2plus: Calibration) -> Networks:
    """The resident networks, x2plus with a calibration that its random weights cannot give."""
    found = installed(settings)
    CalibrationStore(settings.cache_dir / CALIBRATIONS_FOLDER).assume(
        _x2plus(settings), 0.0, of_x2plus
    )
    return Networks(found, settings)


def _x2plus(settings: Settings) -> CompiledUpscaler:
    return load_upscaler(installed(settings)[X2PLUS], None)


def _in_8_bits(settings: Settings) -> Calibration:
    """Every convolution of x2plus, fitted to few pieces: for its cost, not for its looks."""
    made = quantized(_x2plus(settings).exact_graph(0.0), crops(2, 1, 32), largest_weight())
    return Calibration("8 bits", 0.0, 0.0, made)


def _forms(settings: Settings) -> list[dict[str, Any]]:
    """What the calibrations say that were used, without their convolutions."""
    return [
        {"form": each.form, "mean_db": each.mean_db, "worst_db": each.worst_db}
        for each in CalibrationStore(settings.cache_dir / CALIBRATIONS_FOLDER).stored()
    ]


def _told(measuring: Iterator[Case], peak: float, runs: int) -> dict[str, Any]:
    """Print each as it is measured, and all; give them with the machine and the commit."""
    cases: list[Case] = []
    for case in measuring:
        cases.append(case)
        print(table([case]).splitlines()[-1], flush=True)
    print(table(cases), flush=True)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "commit": commit.stdout.strip() or None,
        "machine": {"device": "cpu", "threads": torch.get_num_threads(), "peak_gflops": peak},
        "versions": {"torch": str(torch.__version__), "openvino": openvino.__version__},
        "runs": runs,
        "least_db": LEAST_DB,
        "cases": [
            {
                **asdict(case),
                "ratios": case.ratios,
                "ratios_from_to": case.spread,
                "p95_s": case.p95,
                "exact_share_of_peak": case.share_of_peak(peak),
            }
            for case in cases
        ],
    }


def _keep(folder: Path, figures: dict[str, Any]) -> None:
    """Put a part's figures in the place of its earlier ones."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "speed.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    kept = before | {"benchmark": "speed"} | figures
    path.write_text(json.dumps(kept, indent=1) + "\n")
    plot([*kept.get("cases", ()), *kept.get("large", {}).get("cases", ())], folder / "speed.png")


if __name__ == "__main__":
    main()
