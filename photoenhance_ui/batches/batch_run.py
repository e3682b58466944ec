"""One run of a batch, driven by whoever reads its changes: nothing runs unread."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from photoenhance_ui.batches.entries import Change, Entries, Entry
from photoenhance_ui.batches.journal import JournalKeeper
from photoenhance_ui.batches.photo_run import PhotoRun
from photoenhance_ui.events import (
    Cancelled,
    Event,
    Failed,
    Finished,
    State,
    failed_by,
    row_after,
)

log = logging.getLogger(__name__)

Attempt = tuple[str, int]
"""A photo's id, and the number of the attempt."""


class BatchRun:
    """Starts photos in the order given, and tells what happens, until every photo is settled."""

    def __init__(
        self, entries: Entries, photo_run: PhotoRun, journal: JournalKeeper, max_in_flight: int
    ) -> None:
        """At most ``max_in_flight`` photos are read, worked on or written at once.

        To be made in the event loop that reads ``changes``.
        """
        self._entries = entries
        self._photo_run = photo_run
        self._journal = journal
        self._max_in_flight = max_in_flight
        self._loop = asyncio.get_running_loop()
        self._happened: asyncio.Queue[tuple[str, int, Event] | None] = asyncio.Queue()
        self._running: set[Attempt] = set()
        self.ended = False

    def wake(self) -> None:
        """Look at the entries again: some were added, cancelled or retried. From any thread."""
        self._post(None)

    async def changes(self) -> AsyncGenerator[Change, None]:
        """Run until every photo is settled; closing the iterator cancels what is not."""
        self._photo_run.files.begin()
        threads = ThreadPoolExecutor(self._max_in_flight, thread_name_prefix="photo")
        try:
            while not self.ended:
                for change in self._settled_before_start():
                    yield change
                self._start_waiting(threads)
                await self._journal.write_news()
                with self._entries.lock:  # a photo is added before this, or finds nobody reading
                    self.ended = not self._running and self._entries.settled
                happened = None if self.ended else self._change_by(await self._happened.get())
                if happened is not None:
                    if happened.row.state.settled:
                        self._journal.note_news()
                        await self._journal.write_news()
                    yield happened
        finally:
            if not self.ended:
                self._stop_unsettled()
                self.ended = True
            threads.shutdown(wait=False)
            self._photo_run.files.end()

    def _change_by(self, item: tuple[str, int, Event] | None) -> Change | None:
        """What the event changes; None where nothing: of an attempt that was abandoned."""
        if item is None:
            return None
        photo_id, attempt, event = item
        if isinstance(event, Finished | Failed | Cancelled):
            self._running.discard((photo_id, attempt))
        entry = self._entries[photo_id]
        if entry.attempt != attempt or entry.row.state.settled:
            return None
        entry.row = row_after(entry.row, event)
        return Change(photo_id, entry.row, event)

    def _settled_before_start(self) -> Iterator[Change]:
        """Photos that never start: refused when they were taken in, or cancelled since."""
        for entry in self._entries:
            if entry.row.state is not State.QUEUED or (entry.id, entry.attempt) in self._running:
                continue
            event = Cancelled() if entry.cancelled.is_set() else entry.refusal
            if event is not None:
                entry.row = row_after(entry.row, event)
                self._journal.note_news()
                yield Change(entry.id, entry.row, event)

    def _start_waiting(self, threads: ThreadPoolExecutor) -> None:
        """Start waiting photos in the order given, as many as the bound leaves room for."""
        for entry in self._entries:
            if len(self._running) >= self._max_in_flight:
                return
            attempt = (entry.id, entry.attempt)
            waits = entry.row.state is State.QUEUED and entry.original is not None
            if waits and attempt not in self._running:
                self._running.add(attempt)
                threads.submit(self._run, entry, entry.attempt, entry.cancelled)

    def _run(self, entry: Entry, attempt: int, cancelled: threading.Event) -> None:
        """One photo from file to file, in a thread; every failure ends in one Failed."""
        try:
            for event in self._photo_run.events(entry, attempt, cancelled):
                self._post((entry.id, attempt, event))
        except Exception as error:  # noqa: BLE001 - isolates one photo from all others
            self._post((entry.id, attempt, failed_by(error, log, f"photo={entry.id}")))

    def _stop_unsettled(self) -> None:
        """Cancel what the reader no longer waits for; only flags are set, nothing is awaited."""
        for entry in self._entries:
            if not entry.row.state.settled:
                self._photo_run.cancel(entry)
                entry.row = row_after(entry.row, Cancelled())

    def _post(self, item: tuple[str, int, Event] | None) -> None:
        with suppress(RuntimeError):  # the reader and its loop are gone
            self._loop.call_soon_threadsafe(self._happened.put_nowait, item)
