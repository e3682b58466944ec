"""From the command to the first answer: ``python -m benchmarks.cold_start``.

Starts ``app.py --offline`` as a person does, with the built-in network alone or with
``--weights-dir``, and measures until the page answers and until a first photo is enhanced through
the API. The first of the runs has nothing remembered of fast forms; the others have.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from gradio_client import Client, handle_file
from PIL import Image
from skimage import data as sample_photos

from photoenhance_ui.settings import PROJECT_DIR

RESULTS = PROJECT_DIR / "benchmarks" / "results"
PATIENCE_S = 300.0


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started_once(folder: Path, photo: Path, more: Sequence[str]) -> dict[str, float]:
    """Seconds until the page answers and until the first photo is there."""
    port = free_port()
    command = [
        sys.executable, "app.py", "--offline", "--port", str(port),
        "--cache-dir", str(folder / "cache"), *more,
    ]  # fmt: skip
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "files")}
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=PROJECT_DIR, env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}/"
            _wait_for(url, process)
            answers = time.perf_counter() - began
            client = Client(url, download_files=False, verbose=False)
            asked = time.perf_counter()
            client.predict(handle_file(photo), api_name="/enhance_one")
            first = time.perf_counter() - asked
        finally:
            process.terminate()
    return {"page_s": round(answers, 2), "first_photo_s": round(first, 2)}


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            urlopen(url, timeout=5).close()
            return
        except (URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError("The page did not come.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="benchmarks.cold_start", description=__doc__)
    parser.add_argument("--runs", type=int, default=4, help="the first one remembers nothing")
    parser.add_argument("--out", type=Path, default=RESULTS / "cold_start.json")
    given, more = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        photo = Path(scratch) / "coffee.jpg"
        Image.fromarray(sample_photos.coffee()).save(photo)
        runs = [started_once(Path(scratch), photo, more) for _ in range(given.runs)]
    content: dict[str, Any] = {
        "benchmark": "cold_start",
        "first": runs[0],
        "later": {key: round(median(run[key] for run in runs[1:]), 2) for key in runs[0]},
        "runs": runs,
    }
    print(json.dumps(content, indent=1))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
