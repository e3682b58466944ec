"""How much memory and time large photos and long batches take: ``python -m benchmarks.memory``.

Each case is a process of its own with all networks loaded, so that one's peak is not another's: a
photo of so many megapixels at scale 2, from file to file; and a batch of small photos, whose
resident memory is written down as it goes on. The networks' first photo is a case of its own,
``first_use``: their fast forms are measured with it, which is done once on a machine. The face
networks have seeded random weights at full size; general-x4v3 and the detector are the real ones
of ``--data``.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data as sample_photos

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.storage import Workspace
from photoenhance_ui.engine.engine import open_engine
from photoenhance_ui.request import Request
from photoenhance_ui.settings import PROJECT_DIR, Settings
from testing import seeded_weights
from testing.processes import memory_mb

RESULTS = PROJECT_DIR / "benchmarks" / "results"
MEGAPIXELS = (1.5, 12.0, 24.0)
FIRST_USE_MEGAPIXELS = 0.25
MANY, MANY_SIDE_PX = 500, 96
NOTED_EVERY = 50


def resident_mb(key: str = "VmRSS") -> float:
    """Resident memory of this process now, or at most (``VmHWM``), as Linux tells it."""
    told = memory_mb(os.getpid(), key)
    assert told is not None, "only Linux tells it"
    return told


def forget_peak() -> None:
    """From now on ``VmHWM`` is that of what follows."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def photo_of(megapixels: float, path: Path) -> Path:
    """A JPEG of that size with a real photo's content, 3 to 2."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    photo = Image.fromarray(sample_photos.astronaut())
    photo.resize((round(1.5 * height), height), Image.Resampling.BICUBIC).save(path, quality=92)
    return path


def large(megapixels: float, settings: Settings, upscaler: str) -> dict[str, Any]:
    """One large photo from file to file."""
    with tempfile.TemporaryDirectory() as scratch, open_engine(settings) as engine:
        path = photo_of(megapixels, Path(scratch) / "large.jpg")
        loaded, start_peak = resident_mb(), resident_mb("VmHWM")
        forget_peak()
        batch = _batch(engine, settings, Path(scratch), Request(upscaler=upscaler))
        batch.add(path)
        began = time.perf_counter()
        asyncio.run(_run(batch, []))
        (row,) = batch.rows
        return {
            "megapixels": megapixels,
            "upscaler": upscaler,
            "state": row.state.value,
            "reason": row.reason,
            "networks": list(row.networks),
            "faces": row.faces,
            "seconds": round(time.perf_counter() - began, 1),
            "loaded_mb": loaded,
            "start_peak_mb": start_peak,
            "peak_mb": resident_mb("VmHWM"),
        }


def many(count: int, settings: Settings) -> dict[str, Any]:
    """Many small photos in batches of one owner, as large as a batch may be."""
    noted: list[float] = []
    with tempfile.TemporaryDirectory() as scratch, open_engine(settings) as engine:
        path = Path(scratch) / "small.png"
        side = MANY_SIDE_PX
        Image.fromarray(np.ascontiguousarray(sample_photos.coffee()[:side, :side])).save(path)
        done = 0
        while done < count:
            batch = _batch(engine, settings, Path(scratch), Request(upscaler="builtin"))
            part = min(settings.max_photos, count - done)
            for _ in range(part):
                batch.add(path)
            asyncio.run(_run(batch, noted))
            done += part
    return {"photos": count, "side_px": side, "noted_every": NOTED_EVERY, "resident_mb": noted}


def _batch(engine: Any, settings: Settings, scratch: Path, request: Request) -> Batch:
    return Batch(engine, "me", request, Workspace(scratch / "files").new_batch(), settings)


async def _run(batch: Batch, noted: list[float]) -> None:
    settled = 0
    async for change in batch.changes():
        if change.row.state.settled:
            settled += 1
            if settled % NOTED_EVERY == 0:
                noted.append(resident_mb())


def _alone(task: Any, *arguments: Any) -> dict[str, Any]:
    """In a fresh process, so that its peak is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result: dict[str, Any] = pool.apply(task, arguments)
        return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with weights")
    parser.add_argument("--megapixels", type=float, nargs="*", default=MEGAPIXELS)
    parser.add_argument("--many", type=int, default=MANY)
    parser.add_argument("--upscaler", default="auto")
    parser.add_argument("--out", type=Path, default=RESULTS / "memory.json")
    given = parser.parse_args(arguments)
    content: dict[str, Any] = {"benchmark": "memory", "large": []}
    with tempfile.TemporaryDirectory() as scratch:
        settings = seeded_weights.settings_of(Path(scratch), given.data)
        content["first_use"] = _alone(large, FIRST_USE_MEGAPIXELS, settings, given.upscaler)
        print(json.dumps(content["first_use"]), flush=True)
        for megapixels in given.megapixels:
            content["large"].append(_alone(large, megapixels, settings, given.upscaler))
            print(json.dumps(content["large"][-1]), flush=True)
        content["many"] = _alone(many, given.many, settings)
        print(json.dumps(content["many"]), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
