"""Which batches run for which session, so that a closed tab stops what it was waiting for.

A session hash is used for this alone; whose a photo is, is never decided by it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from photoenhance_ui.batches.batch import Batch


class Streams:
    """The batches that are being read, by session."""

    def __init__(self) -> None:
        self._batches: dict[str, list[Batch]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, session: str | None, batch: Batch) -> Iterator[None]:
        """While the block runs, the session's end cancels the batch."""
        key = session or ""
        with self._lock:
            self._batches.setdefault(key, []).append(batch)
        try:
            yield
        finally:
            with self._lock:
                self._batches[key].remove(batch)
                if not self._batches[key]:
                    del self._batches[key]

    def cancel(self, session: str | None) -> None:
        """Cancel what the session reads: its tab was closed, its client is gone."""
        with self._lock:
            batches = tuple(self._batches.get(session, ())) if session else ()
        for batch in batches:
            batch.cancel()
