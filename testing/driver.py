"""What many tests do in a few lines: enhance a photo, run a batch to its end, wait until."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.catalogue import Role
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline import enhancer
from photoenhance_ui.pipeline.contracts import DetectedFace, Work
from photoenhance_ui.pipeline.plan import Plan


class Runs(Protocol):
    """What computes the work: the resident networks, or something around them."""

    def run(self, work: Work, precision: str) -> Any:
        """What the named network gives."""
        ...


def enhanced(
    photo: Photo, plan: Plan, networks: Runs, faces: Sequence[DetectedFace] | None = None
) -> enhancer.Enhanced:
    """The networks' part; with ``faces``, these are found whatever the picture shows."""
    steps, answer = enhancer.enhance(photo, plan), None
    while True:
        try:
            step: Any = steps.send(answer)
        except StopIteration as end:
            return end.value
        answer = None
        if isinstance(step, Work):
            is_given = step.role is Role.DETECTOR and faces is not None
            answer = [list(faces)] if is_given else networks.run(step, plan.precision)


def run_to_end(batch: Batch, timeout_s: float = 120) -> None:
    """Read the batch until every photo is settled."""

    async def read() -> None:
        async for _ in batch.changes():
            pass

    asyncio.run(asyncio.wait_for(read(), timeout=timeout_s))


def wait_until(happened: Callable[[], bool], seconds: float = 30) -> None:
    """Return as soon as it happened; fails where it does not."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.02)
