"""From the command to the first answer: ``python -m benchmarks.cold_start``.

Starts ``app.py --offline`` as a person does, with the built-in network alone or with
``--weights-dir``, and measures until the page answers and until a first photo is enhanced through
the API. The first of the runs has nothing remembered of fast forms; the others have.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from gradio_client import Client, handle_file
from PIL import Image
from skimage import data as sample_photos

from photoenhance_ui.settings import PROJECT_DIR
from testing.running_app import started_app

RESULTS = PROJECT_DIR / "benchmarks" / "results"


def started_once(folder: Path, photo: Path, more: Sequence[str]) -> dict[str, float]:
    """Seconds until the page answers and until the first photo is there."""
    flags = ("--offline", "--cache-dir", str(folder / "cache"), *more)
    began = time.perf_counter()
    with started_app(*flags, environment={"GRADIO_TEMP_DIR": str(folder / "files")}) as url:
        answers = time.perf_counter() - began
        client = Client(url, download_files=False, verbose=False)
        asked = time.perf_counter()
        client.predict(handle_file(photo), api_name="/enhance_one")
        first = time.perf_counter() - asked
    return {"page_s": round(answers, 2), "first_photo_s": round(first, 2)}


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
