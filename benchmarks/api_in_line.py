"""What ``/enhance`` costs beside the photos, by their number: ``python -m benchmarks.api_in_line``.

Starts the app on a free port of this machine and sends 25, 50, 100 and 200 photos of 16x12 pixels,
which take next to nothing to enhance, through ``gradio_client`` in the README's plain loop:

- **plain**: as the client comes. It sends every file in a request of its own, fetches each one as
  it comes and once more for the job's result, and for each of these requests reads the machine's
  certificates anew.
- **no certificates**: the same with ``ssl_verify=False``.
- **no downloads**: with ``download_files=False``.

Times count from ``submit``, so the uploads are in them: until the last upload, the first photo, the
end of the loop, and the result. The ways are interleaved, and a batch goes before, unmeasured.

After that a reader stops: it calls, reads the first answer and no more; so several times, and each
time the server's memory is written down once its photos are done.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from gradio_client import Client, handle_file
from PIL import Image
from skimage import data

from benchmarks.stream_vs_batch import Server
from photoenhance_ui.settings import PROJECT_DIR
from testing.processes import memory_mb
from testing.running_app import started_process

RESULTS = PROJECT_DIR / "benchmarks" / "results"
COUNTS = (25, 50, 100, 200)
WIDTH, HEIGHT = 16, 12
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no certificates": {"ssl_verify": False},
    "no downloads": {"download_files": False},
}
STALLED_CALLS, STALLED_PHOTOS = 10, 100
RESULT_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Pass:
    """One call: seconds from ``submit`` to what a script waits for."""

    way: str
    photos: int
    uploaded_s: float
    first_s: float
    loop_s: float
    result_s: float


def tiny_photos(folder: Path, count: int) -> list[Path]:
    """So many different photos, cut from one of scikit-image's."""
    picture = Image.fromarray(data.coffee())
    paths = []
    for number in range(count):
        paths.append(folder / f"photo-{number:03}.png")
        left, top = 2 * number, number
        picture.crop((left, top, left + WIDTH, top + HEIGHT)).save(paths[-1])
    return paths


def passed(url: str, way: str, photos: Sequence[Path]) -> Pass:
    """The README's loop with a client of its own."""
    client = Client(url, verbose=False, **WAYS[way])
    began = time.perf_counter()
    job = client.submit([handle_file(path) for path in photos], api_name="/enhance")
    while job.communicator.event_id is None:  # it has one once all is uploaded and sent
        time.sleep(0.005)
    uploaded = time.perf_counter() - began
    arrivals = [time.perf_counter() - began for _ in job]
    loop = time.perf_counter() - began
    gallery, report = job.result(timeout=RESULT_TIMEOUT_S)
    result = time.perf_counter() - began
    client.close()
    assert len(arrivals) == len(gallery) == len(report) == len(photos), "every photo came once"
    return Pass(
        way, len(photos),
        *(round(seconds, 3) for seconds in (uploaded, arrivals[0], loop, result)),
    )  # fmt: skip


def measure(url: str, photos: Sequence[Path], runs: int) -> list[Pass]:
    """Every way with every number of photos, once in each run."""
    passed(url, "no downloads", photos[:4])
    passes = []
    for run in range(runs):
        for count in COUNTS:
            for way in WAYS:
                passes.append(passed(url, way, photos[:count]))
                print(f"run {run + 1}/{runs} {passes[-1]}", flush=True)
    return passes


def summary(passes: Sequence[Pass]) -> list[dict[str, Any]]:
    """Medians by way and number of photos."""
    told = []
    for way in WAYS:
        for count in COUNTS:
            same = [one for one in passes if (one.way, one.photos) == (way, count)]
            times = {
                name: round(median(getattr(one, name) for one in same), 2)
                for name in ("uploaded_s", "first_s", "loop_s", "result_s")
            }
            each = median((one.loop_s - one.uploaded_s) / count for one in same)
            told.append({"way": way, "photos": count, **times, "each_ms": round(1000 * each, 1)})
    return told


def stalled(url: str, pid: int, photo: Path) -> list[float]:
    """The server's memory in MB at first and after each call whose reader stopped."""
    server, http = Server(url), httpx.Client(timeout=RESULT_TIMEOUT_S)
    given = server.upload([photo]) * STALLED_PHOTOS
    address = f"{url}/gradio_api/call/v2/enhance"
    noted = [_memory(pid)]
    for _ in range(STALLED_CALLS):
        event_id = http.post(address, json={"photos": given}).raise_for_status().json()["event_id"]
        with http.stream("GET", f"{address}/{event_id}") as answer:
            next(answer.iter_lines())
            while _photos_at_work(server):
                time.sleep(0.2)
            noted.append(_memory(pid))
        print(f"a reader stopped: {noted[-1]} MB", flush=True)
    return noted


def _photos_at_work(server: Server) -> int:
    *_, (_, _, (status,)) = server.call("status")
    return int(sum(status["queue"].values()))


def _memory(pid: int) -> float:
    told = memory_mb(pid)
    assert told is not None, "only Linux tells it"
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "api_in_line.json")
    given = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch, started_process("--offline") as (url, pid):
        photos = tiny_photos(Path(scratch), max(COUNTS))
        passes = measure(url, photos, given.runs)
        memory = stalled(url, pid, photos[0])
    content = {
        "benchmark": "api_in_line",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(), "cores": os.cpu_count(), "load_before": round(load, 1),
        },
        "photo": f"{WIDTH}x{HEIGHT}",
        "runs": given.runs,
        "summary": summary(passes),
        "stalled": {"calls": STALLED_CALLS, "photos": STALLED_PHOTOS, "memory_mb": memory},
        "passes": [asdict(one) for one in passes],
    }  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: content[key] for key in ("summary", "stalled")}, indent=1))


if __name__ == "__main__":
    main()
