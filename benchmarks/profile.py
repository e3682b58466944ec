"""Where one photo's time goes, stage by stage: ``python -m benchmarks.profile PHOTO...``.

From file to file with the installed networks, as the engine does it, several times; the medians
of what each stage took, in seconds and in shares of the whole. ``--weights-dir`` and the other
settings are those of the app.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from photoenhance_ui.codec import Limits, Provenance, faithfulness_db, read_photo, write_photo
from photoenhance_ui.engine import plan_for
from photoenhance_ui.enhancer import blend
from photoenhance_ui.networks.interfaces import Work
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.plan import choose_networks
from photoenhance_ui.request import Request
from photoenhance_ui.settings import PROJECT_DIR, Settings, parse_settings
from photoenhance_ui.weights import installed
from tests.driver import enhanced

RESULTS = PROJECT_DIR / "benchmarks" / "results"
Seconds = dict[str, float]


class Clock:
    """Seconds by stage; the time between two stages belongs to nobody."""

    def __init__(self) -> None:
        self.seconds: Seconds = defaultdict(float)

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
        with self.clock.stage(f"{work.role.value}: {work.network}"):
            return self.networks.run(work, precision)


def profiled(path: Path, networks: Networks, request: Request, settings: Settings) -> Seconds:
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
            result, Path(folder), output_format=request.output_format, quality=request.quality,
            keep_metadata=request.keep_metadata, stem="result",
            provenance=Provenance(plan.networks, plan.scale, plan.face_strength),
        )  # fmt: skip
    return dict(clock.seconds)


def medians(runs: Sequence[Seconds]) -> Seconds:
    """Of each stage over all runs, longest first."""
    middle = {stage: median(run.get(stage, 0.0) for run in runs) for stage in runs[0]}
    return dict(sorted(middle.items(), key=lambda pair: -pair[1]))


def table(name: str, stages: Seconds) -> str:
    """In Markdown, with shares."""
    whole = sum(stages.values())
    lines = [f"| {name} | seconds | share |", "|---|---|---|"]
    lines += [f"| {s} | {t:.3f} | {100 * t / whole:.1f} % |" for s, t in stages.items()]
    return "\n".join([*lines, f"| whole | {whole:.3f} | |"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="benchmarks.profile", description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=2.0)
    parser.add_argument("--upscaler", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS / "profile.json")
    given, rest = parser.parse_known_args(arguments)
    settings = parse_settings(rest)
    networks = Networks(installed(settings), settings)
    request = Request.from_options(
        {"scale": given.scale, "upscaler": given.upscaler, "precision": given.precision}
    )
    told: dict[str, Seconds] = {}
    for path in given.photos:
        profiled(path, networks, request, settings)  # warm
        runs = [profiled(path, networks, request, settings) for _ in range(given.runs)]
        told[path.name] = medians(runs)
        print(table(path.name, told[path.name]), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    content = {"benchmark": "profile", "runs": given.runs, "seconds": told}
    given.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
