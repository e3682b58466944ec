"""Many photos through the page in a real browser: it stays quick, and its memory stays flat.

``python -m benchmarks.page`` starts the app on a free port of this machine, opens its page in
Chromium, drops in 200 small photos and watches from inside the browser:

- **updates**: the time between two drawings of the cards. The page asks for half a second; what
  is more was spent on looking at the batch, sending, and drawing.
- **memory**: the JavaScript heap after a collection of garbage, and the nodes of the document, by
  how many photos are finished.
- **response**: from a click on a panel to the next picture on the screen, while the batch runs.
- **long tasks**: how often and how long the page did not listen (more than 50 ms at once).

The first and the last third of the batch stand beside each other; flat means that they are alike.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from skimage import data

from testing.browser import CHROMIUM, DESKTOP, FLAGS
from testing.running_app import started_app

RESULTS = Path(__file__).resolve().parent / "results"
SAMPLE_PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
SIDE_PX = 256
SAMPLE_EVERY_S = 2.0
UPDATE_GAP_MS = 100  # mutations nearer to each other belong to one drawing
LIMIT_S = 3600.0

WATCH_JS = """() => {
  window.drawn = []; window.tasks = [];
  new MutationObserver(() => window.drawn.push(performance.now())).observe(
    document.querySelector("#pe-cards"), {attributes: true, childList: true, subtree: true});
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.tasks.push(task.duration);
  }).observe({type: "longtask"});
}"""
CLICK_JS = """() => new Promise((done) => {
  const begun = performance.now();
  document.querySelector("#pe-saving button").click();
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
})"""


@dataclass(frozen=True)
class Sample:
    """The page at one moment."""

    seconds: float
    finished: int
    heap_mb: float
    nodes: int
    response_ms: float


def small_photos(folder: Path, count: int) -> list[Path]:
    """So many photos, cut from scikit-image's at changing places."""
    pictures = [Image.fromarray(getattr(data, name)()) for name in SAMPLE_PHOTOS]
    paths = []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        left = 7 * number % (picture.width - SIDE_PX)
        top = 5 * number % (picture.height - SIDE_PX)
        paths.append(folder / f"photo-{number:03}.jpg")
        picture.crop((left, top, left + SIDE_PX, top + SIDE_PX)).save(paths[-1], quality=90)
    return paths


def watched(page: Page, paths: Sequence[Path]) -> tuple[list[Sample], dict[str, list[float]]]:
    """Run the photos; gives samples, and the times of drawings and long tasks in ms."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.set_input_files("#pe-photos input[type=file]", [str(path) for path in paths])
    page.locator("button#pe-start:enabled").wait_for()
    page.evaluate(WATCH_JS)
    begun = time.monotonic()
    page.locator("button#pe-start").click()
    samples: list[Sample] = []
    while not samples or samples[-1].finished < len(paths):
        page.wait_for_timeout(1000 * SAMPLE_EVERY_S)
        samples.append(_sample(page, session, time.monotonic() - begun))
        if samples[-1].seconds > LIMIT_S:
            raise TimeoutError(f"{samples[-1].finished} of {len(paths)} photos were finished")
    return samples, page.evaluate("({drawn: window.drawn, tasks: window.tasks})")


def _sample(page: Page, session: CDPSession, seconds: float) -> Sample:
    response_ms = page.evaluate(CLICK_JS)
    session.send("HeapProfiler.collectGarbage")
    metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    return Sample(
        seconds=round(seconds, 2),
        finished=page.locator('.pe-card[data-state="done"]').count(),
        heap_mb=round(metrics["JSHeapUsedSize"] / 1e6, 2),
        nodes=int(metrics["Nodes"]),
        response_ms=round(response_ms, 1),
    )


def gaps_ms(drawn: Sequence[float]) -> list[float]:
    """Times between drawings, where mutations near each other are one."""
    begins = [
        now
        for before, now in zip([-1e9, *drawn], drawn, strict=False)
        if now - before > UPDATE_GAP_MS
    ]
    return [now - before for before, now in pairwise(begins)]


def thirds(values: Sequence[float]) -> dict[str, float | None]:
    """The median of the first and of the last third; None where there are too few."""
    third = len(values) // 3
    if not third:
        return {"first_third": None, "last_third": None}
    first, last = values[:third], values[-third:]
    return {"first_third": round(median(first), 1), "last_third": round(median(last), 1)}


def summary(samples: Sequence[Sample], seen: dict[str, list[float]]) -> dict[str, Any]:
    """The figures by thirds of the batch."""
    tasks = seen["tasks"]
    return {
        "seconds": samples[-1].seconds,
        "update_ms": thirds(gaps_ms(seen["drawn"])),
        "response_ms": thirds([sample.response_ms for sample in samples]),
        "slowest_response_ms": max(sample.response_ms for sample in samples),
        "heap_mb": thirds([sample.heap_mb for sample in samples]),
        "nodes": thirds([sample.nodes for sample in samples]),
        "long_tasks": {"count": len(tasks), "longest_ms": round(max(tasks, default=0.0), 1)},
    }


def measured(browser: Browser, address: str, photos: int) -> dict[str, Any]:
    """One run, whole."""
    page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    page.goto(address)
    page.locator('#pe-banner [data-network="builtin"]').wait_for()
    with tempfile.TemporaryDirectory() as folder:
        samples, seen = watched(page, small_photos(Path(folder), photos))
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {platform.system()}",
        "browser": browser.version,
        "photos": photos,
        "side_px": SIDE_PX,
        "summary": summary(samples, seen),
        "samples": [asdict(sample) for sample in samples],
    }


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS / "page.json")
    chosen = parser.parse_args()
    with started_app("--offline") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        result = measured(browser, address, chosen.photos)
        browser.close()
    chosen.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["summary"], indent=1))


if __name__ == "__main__":
    main()
