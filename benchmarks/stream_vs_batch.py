"""Time to the first and to the last photo: one stream, one request per batch, and one ZIP.

``python -m benchmarks.stream_vs_batch`` starts the app on a free port of this machine (or takes
``--url``) and sends the same photos through ``/enhance`` in three ways, interleaved, five times:

- **stream**: every event is looked at. A photo is there when the event arrives whose report holds
  it.
- **batch**: what a person waits for where the server answers once, when all is done. The same
  endpoint does the same work; only the event that ends it is looked at, so the first photo comes
  with the last. (A server that really answers once would save the events in between, which weigh
  a few kilobytes.)
- **zip**: as batch, and then every result is fetched and put into a ZIP, stored. That moves the
  bytes that making a ZIP on the server and fetching it would move.

Times count from the moment the request is sent; the upload lies before it and is the same for
all three. Events are read from the server's event stream as they arrive, by no polling client.
One batch goes before, unmeasured, so that nobody pays for warming up.
"""

import argparse
import io
import json
import platform
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from matplotlib.figure import Figure
from PIL import Image
from skimage import data

from testing.running_app import started_app

RESULTS = Path(__file__).resolve().parent / "results"
WAYS = ("stream", "batch", "zip")
SEED_PROMISE_PERCENT = 37.5
"""How much sooner than a batch upload the project that this one grew from promised the first."""
SAMPLE_PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
EVENT_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Pass:
    """One batch sent in one way: seconds from the request to each photo, in order of arrival."""

    way: str
    run: int
    arrivals_s: tuple[float, ...]

    @property
    def first_s(self) -> float:
        """When the first photo was there."""
        return self.arrivals_s[0]

    @property
    def last_s(self) -> float:
        """When all photos were there."""
        return self.arrivals_s[-1]


# Talking to the server


class Server:
    """The HTTP API of a running app."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(timeout=EVENT_TIMEOUT_S)

    def upload(self, photos: Sequence[Path]) -> list[dict[str, Any]]:
        """Send the photos; gives them as the endpoints take them."""
        files = [("files", (photo.name, photo.read_bytes())) for photo in photos]
        answer = self._http.post(f"{self.url}/gradio_api/upload", files=files).raise_for_status()
        return [
            {"path": path, "orig_name": photo.name, "meta": {"_type": "gradio.FileData"}}
            for path, photo in zip(answer.json(), photos, strict=True)
        ]

    def call(self, endpoint: str, **values: Any) -> Iterator[tuple[float, str, Any]]:
        """Call an endpoint; gives (seconds since the call, kind, data) for each event."""
        address = f"{self.url}/gradio_api/call/v2/{endpoint}"
        began = time.perf_counter()
        event_id = self._http.post(address, json=values).raise_for_status().json()["event_id"]
        with self._http.stream("GET", f"{address}/{event_id}") as answer:
            kind = ""
            for line in answer.raise_for_status().iter_lines():
                arrived = time.perf_counter() - began
                word, _, value = line.partition(": ")
                if word == "event":
                    kind = value
                elif word == "data" and kind in ("generating", "complete"):
                    yield arrived, kind, json.loads(value)
                elif word == "data" and kind == "error":
                    raise RuntimeError(f"{endpoint} failed: {value}")

    def fetch(self, path: str) -> bytes:
        """The bytes of a result."""
        return self._http.get(f"{self.url}/gradio_api/file={path}").raise_for_status().content


# The three ways


def arrivals_of_stream(server: Server, call: dict[str, Any]) -> tuple[float, ...]:
    """When each photo's own answer comes; the one that ends the call holds all once more."""
    return tuple(
        arrived
        for arrived, kind, (_, report) in server.call("enhance", **call)
        if kind == "generating"
        for _ in _done(report)
    )


def arrivals_of_batch(server: Server, call: dict[str, Any]) -> tuple[float, ...]:
    """All photos come with the event that ends the call."""
    *_, (ended, _, (_, report)) = server.call("enhance", **call)
    return (ended,) * len(_done(report))


def arrivals_of_zip(server: Server, call: dict[str, Any]) -> tuple[float, ...]:
    """As batch, and all results are fetched and put into a ZIP."""
    *_, (ended, _, (_, report)) = server.call("enhance", **call)
    began = time.perf_counter()
    done = _done(report)
    with zipfile.ZipFile(io.BytesIO(), "w", zipfile.ZIP_STORED) as archive:
        for number, path in enumerate(done):
            archive.writestr(f"{number}-{Path(path).name}", server.fetch(path))
    return (ended + time.perf_counter() - began,) * len(done)


def _done(report: list[dict[str, Any]]) -> list[str]:
    failed = [row["reason"] for row in report if row["state"] in ("failed", "cancelled")]
    if failed:
        raise RuntimeError(f"A photo failed, so there is nothing to compare: {failed[0]}")
    return [row["output"] for row in report if row["state"] == "done"]


MEASURES = {"stream": arrivals_of_stream, "batch": arrivals_of_batch, "zip": arrivals_of_zip}


def measure(
    server: Server, photos: Sequence[Path], options: dict[str, Any], runs: int
) -> list[Pass]:
    """Every way once in each run; which one begins changes from run to run."""
    call = {"photos": server.upload(photos), **options}
    arrivals_of_batch(server, call)  # warms up
    passes: list[Pass] = []
    for run in range(runs):
        turn = run % len(WAYS)
        for way in (*WAYS[turn:], *WAYS[:turn]):
            passes.append(Pass(way, run, MEASURES[way](server, call)))
            print(f"run {run + 1}/{runs}  {_described(passes[-1])}", flush=True)
    return passes


def _described(one: Pass) -> str:
    return f"{one.way:7} first {one.first_s:7.2f} s   last {one.last_s:7.2f} s"


# What it says


def summary(passes: Sequence[Pass]) -> dict[str, dict[str, float]]:
    """Median, smallest and largest time to the first and to the last photo, for each way."""
    told: dict[str, dict[str, float]] = {}
    for way in WAYS:
        firsts = [one.first_s for one in passes if one.way == way]
        lasts = [one.last_s for one in passes if one.way == way]
        told[way] = {
            f"{name}_{word}_s": round(of(times), 3)
            for name, times in (("first", firsts), ("last", lasts))
            for word, of in (("median", median), ("min", min), ("max", max))
        }
    return told


def sooner_percent(told: dict[str, dict[str, float]], than: str) -> float:
    """How much sooner the first photo of the stream is there than that of another way."""
    share = told["stream"]["first_median_s"] / told[than]["first_median_s"]
    return round(100 * (1 - share), 1)


def table(told: dict[str, dict[str, float]]) -> str:
    """The summary in Markdown."""
    lines = ["| way | first photo | last photo |", "|---|---|---|"]
    for way, values in told.items():
        cells = (
            f"{values[f'{name}_median_s']:.2f} s "
            f"({values[f'{name}_min_s']:.2f}–{values[f'{name}_max_s']:.2f})"
            for name in ("first", "last")
        )
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(passes: Sequence[Pass], path: Path) -> None:
    """Photos that are there against time: a line per pass, steps at the arrivals."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    colours = dict(zip(WAYS, ("tab:green", "tab:orange", "tab:red"), strict=True))
    for one in passes:
        axes.step(
            [0.0, *one.arrivals_s],
            range(len(one.arrivals_s) + 1),
            where="post",
            color=colours[one.way],
            alpha=0.6,
            label=one.way if one.run == 0 else None,
        )
    axes.set(xlabel="seconds since the request", ylabel="photos that are there")
    axes.legend()
    figure.savefig(path, dpi=120)


# What is sent


def sample_photos(folder: Path) -> list[Path]:
    """Real photos that scikit-image brings, as PNG files."""
    paths = []
    for name in SAMPLE_PHOTOS:
        path = folder / f"{name}.png"
        Image.fromarray(getattr(data, name)()).save(path)
        paths.append(path)
    return paths


def described_photos(photos: Sequence[Path]) -> list[dict[str, Any]]:
    """Name, width and height of each photo."""
    told = []
    for path in photos:
        with Image.open(path) as image:
            told.append({"name": path.name, "width": image.width, "height": image.height})
    return told


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print, and write JSON, table and plot; gives what the JSON holds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", help="a running app; without it, one is started and ended")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--photos", type=Path, help="a folder of photos to send")
    parser.add_argument("--scale", type=float, default=2.0)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where files are written")
    parser.add_argument(
        "flags", nargs="*", help="flags for the app that is started, after --, as in -- --offline"
    )
    given = parser.parse_args(arguments)
    options = {"scale": given.scale}
    with tempfile.TemporaryDirectory() as scratch:
        photos = sorted(given.photos.iterdir()) if given.photos else sample_photos(Path(scratch))
        if given.url:
            facts, passes = _measured(Server(given.url), photos, options, given.runs)
        else:
            with started_app(*given.flags) as url:
                facts, passes = _measured(Server(url), photos, options, given.runs)
        sent = described_photos(photos)
    told = summary(passes)
    result = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"system": platform.platform(), **facts},
        "photos": sent,
        "options": options,
        "runs": given.runs,
        "summary": told,
        "sooner_percent": {way: sooner_percent(told, way) for way in ("batch", "zip")},
        "seed_promise_percent": SEED_PROMISE_PERCENT,
        "passes": [asdict(one) for one in passes],
    }
    given.results.mkdir(parents=True, exist_ok=True)
    target = given.results / "stream_vs_batch.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    target.with_suffix(".md").write_text(table(told) + "\n")
    plot(passes, target.with_suffix(".png"))
    print(table(told))
    for way, percent in result["sooner_percent"].items():
        print(f"The stream's first photo is {percent} % sooner than with {way}.")
    print(f"The seed project promised {SEED_PROMISE_PERCENT} % against a batch upload.")
    return result


def _measured(
    server: Server, photos: Sequence[Path], options: dict[str, Any], runs: int
) -> tuple[dict[str, Any], list[Pass]]:
    *_, (_, _, (status,)) = server.call("status")
    facts = {key: status[key] for key in ("version", "device", "device_name", "precision")}
    facts["upscalers"] = status["networks"]["upscalers"]
    return facts, measure(server, photos, options, runs)


if __name__ == "__main__":
    main()
