"""Where one photo's time goes, stage by stage: ``python -m benchmarks.profile --data DATA``.

From file to file in every way of ``benchmarks.speed`` but the reference's, as the engine does it,
several times; the medians of what each stage took. Beside the upscaler stands how many operations a
second it did, and what share that is of the peak of wide convolutions in its form on this machine.
``python -m benchmarks.profile PHOTO...`` tells of the installed networks instead, with the settings
of the app.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from skimage import data as sample_photos
from skimage.io import imsave

from benchmarks.peak import FORMS, convolutions_gops
from benchmarks.speed import FACE_PHOTOS, SCALE, our_ways
from photoenhance_ui.catalogue import Role
from photoenhance_ui.engine.photo_steps import plan_for
from photoenhance_ui.images.codec import Limits, Provenance, read_photo, write_photo
from photoenhance_ui.images.difference import faithfulness_db
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.pipeline.enhancer import blend
from photoenhance_ui.pipeline.plan import choose_networks
from photoenhance_ui.request import Precision, Request
from photoenhance_ui.settings import PROJECT_DIR, Settings, parse_settings
from photoenhance_ui.weights.inventory import installed
from testing import seeded_weights
from testing.driver import enhanced

RESULTS = PROJECT_DIR / "benchmarks" / "results"
UPSCALER_STAGE = f"{Role.UPSCALER.value}: "
Seconds = dict[str, float]


@dataclass(frozen=True)
class Profile:
    """What one photo took."""

    seconds: Seconds
    operations: float
    """Of the upscaler; a multiply-add is two."""
    form: str
    """In which the upscaler ran."""


class Clock:
    """Seconds by stage; the time between two stages belongs to nobody."""

    def __init__(self) -> None:
        self.seconds: Seconds = defaultdict(float)
        self.operations = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Everything inside belongs to ``name``."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began


@dataclass(frozen=True)
class Clocked:
    """The networks, each with a stage of its own."""

    networks: Networks
    clock: Clock

    def run(self, work: Work, precision: str) -> Any:
        """What the network gives."""
        if work.role is Role.UPSCALER:
            count, height, width = work.inputs.shape[:3]
            upscaler = self.networks.facts().upscalers[work.network]
            self.clock.operations += 2 * count * height * width * upscaler.operations_per_pixel
        with self.clock.stage(f"{work.role.value}: {work.network}"):
            return self.networks.run(work, precision)


def profiled(path: Path, networks: Networks, request: Request, settings: Settings) -> Profile:
    """One photo from file to file."""
    clock = Clock()
    with clock.stage("read the file"):
        photo = read_photo(path, Limits.of(settings))
    choice = choose_networks(request.upscaler, request.scale, networks.facts())
    plan = plan_for(photo.size, request, choice, networks)
    began, before = time.perf_counter(), sum(clock.seconds.values())
    made = enhanced(photo, plan, Clocked(networks, clock))
    of_networks = sum(clock.seconds.values()) - before
    clock.seconds["cut, align, resize, mask"] = time.perf_counter() - began - of_networks
    with clock.stage("blend the faces in"):
        result = blend(made, plan.face_strength)
    with clock.stage("measure faithfulness"):
        faithfulness_db(photo, result)
    with tempfile.TemporaryDirectory() as folder, clock.stage("write the file"):
        write_photo(
            result, Path(folder), request.saving, stem="result",
            provenance=Provenance(plan.networks, plan.scale, plan.face_strength),
        )  # fmt: skip
    is_fast = plan.precision == Precision.FAST
    form = networks.fast_form(plan.upscaler, request.denoise) if is_fast else None
    return Profile(dict(clock.seconds), clock.operations, form or Precision.EXACT.value)


def medians(runs: Sequence[Profile]) -> Profile:
    """Of each stage over all runs, longest first."""
    stages = runs[0].seconds
    middle = {stage: median(run.seconds.get(stage, 0.0) for run in runs) for stage in stages}
    in_order = sorted(middle.items(), key=lambda pair: -pair[1])
    seconds = {stage: round(taken, 4) for stage, taken in in_order}
    return replace(runs[0], seconds=seconds)


def gops(profile: Profile) -> float:
    """Thousand millions of operations a second that the upscaler did."""
    taken = sum(t for stage, t in profile.seconds.items() if stage.startswith(UPSCALER_STAGE))
    return round(profile.operations / taken / 1e9, 1) if taken else 0.0


def table(name: str, profile: Profile) -> str:
    """In Markdown, with shares."""
    whole = sum(profile.seconds.values())
    lines = [f"| {name} | seconds | share |", "|---|---|---|"]
    lines += [f"| {s} | {t:.3f} | {100 * t / whole:.1f} % |" for s, t in profile.seconds.items()]
    return "\n".join([*lines, f"| whole | {whole:.3f} | {gops(profile):.0f} GOP/s |"])


def measured(
    path: Path, networks: Networks, request: Request, settings: Settings, runs: int
) -> Profile:
    """Warm, then as often as asked."""
    profiled(path, networks, request, settings)
    return medians([profiled(path, networks, request, settings) for _ in range(runs)])


def of_installed(given: argparse.Namespace, settings: Settings) -> None:
    """Print where the time of these photos goes with the networks that are here."""
    networks = Networks(installed(settings), settings)
    request = Request.from_options(
        {"scale": given.scale, "upscaler": given.upscaler, "precision": given.precision}
    )
    for path in given.photos:
        print(table(path.name, measured(path, networks, request, settings, given.runs)), flush=True)


def of_all_ways(data: Path, runs: int) -> dict[str, Any]:
    """A photo without a face and one with two, in every way of ours."""
    peaks = {form: convolutions_gops(form) for form in FORMS}
    print(peaks, flush=True)
    cases = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        settings = seeded_weights.settings_of(folder, data, (seeded_weights.X2PLUS_FILE,))
        coffee = folder / "coffee.png"
        imsave(coffee, sample_photos.coffee())
        for way, (networks, request) in our_ways(settings).items():
            for path in (coffee, data / "photos" / FACE_PHOTOS[2]):
                profile = measured(path, networks, request, settings, runs)
                print(table(f"{path.stem}, {way}", profile), flush=True)
                cases.append(_told(path.stem, way, profile, peaks))
    return {"benchmark": "profile", "runs": runs, "scale": SCALE, "peaks_gops": peaks,
            "cases": cases}  # fmt: skip


def _told(photo: str, way: str, profile: Profile, peaks: Mapping[str, float]) -> dict[str, Any]:
    # Where the last convolutions stay wider, the share is that of 8 bits.
    peak = next(peaks[form] for form in FORMS if profile.form.startswith(form))
    return {
        "photo": photo,
        "way": way,
        "seconds": profile.seconds,
        "upscaler_form": profile.form,
        "upscaler_gops": gops(profile),
        "upscaler_share_of_peak": round(gops(profile) / peak, 3),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write what was measured in all ways."""
    parser = argparse.ArgumentParser(prog="benchmarks.profile", description=__doc__)
    parser.add_argument("photos", type=Path, nargs="*")
    parser.add_argument("--data", type=Path, help="folder with photos and weights")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=SCALE)
    parser.add_argument("--upscaler", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS / "profile.json")
    given, rest = parser.parse_known_args(arguments)
    settings = parse_settings(rest)
    if given.data is None:
        of_installed(given, settings)
        return
    content = of_all_ways(given.data, given.runs)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
