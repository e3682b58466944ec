"""A running batch as a stream of ticks, no more of them than a person can follow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from photoenhance_ui.batches.batch import Batch


async def throttled(batch: Batch, pause_s: float) -> AsyncIterator[None]:
    """Run the batch and yield after changes, at most once in ``pause_s``.

    Whoever reads looks at ``batch.rows``, so changes in between are never lost. It ends when the
    batch does; the last change may come after the last yield. Closing it cancels the batch.
    """
    changed = asyncio.Event()

    async def run() -> None:
        async with aclosing(batch.changes()) as changes:  # type: ignore[type-var]
            async for _ in changes:
                changed.set()

    running = asyncio.create_task(run())
    running.add_done_callback(lambda _: changed.set())
    try:
        while True:
            await changed.wait()
            changed.clear()
            if running.done():
                break
            yield
            await asyncio.wait((running,), timeout=pause_s)
        running.result()
    finally:
        running.cancel()
