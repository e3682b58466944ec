"""The current batch of each owner: the one that further photos join."""

import threading
from collections.abc import Callable, Iterable

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.request import Request


class CurrentBatches:
    """The batches of all owners. Thread-safe."""

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}
        self._lock = threading.Lock()

    def current(self, owner: str) -> Batch | None:
        """The owner's batch, running or ended; None where there has been none."""
        return self._batches.get(owner)

    def open_for(
        self, owner: str, request: Request, begin: Callable[[], Batch], photos: int = 1
    ) -> Batch:
        """The batch that so many photos with this request join, else a new one from ``begin``."""
        with self._lock:
            batch = self._batches.get(owner)
            if batch is not None and batch.accepts(request, photos):
                return batch
            self._batches[owner] = begin()
            if batch is not None:
                batch.discard_journal()
            return self._batches[owner]

    def restore(self, batches: Iterable[Batch]) -> None:
        """Take up what an earlier program left, the oldest first: an owner's newest is kept."""
        with self._lock:
            for batch in batches:
                older = self._batches.get(batch.owner)
                if older is not None:
                    older.discard_journal()
                self._batches[batch.owner] = batch

    def clear(self, owner: str) -> None:
        """Let the owner start over; a batch that runs stays."""
        with self._lock:
            batch = self._batches.get(owner)
            if batch is not None and batch.settled:
                batch.discard_journal()
                del self._batches[owner]

    def forget_ended(self, keep: Callable[[Batch], bool]) -> None:
        """Drop settled batches that ``keep`` does not want, so that memory does not grow."""
        with self._lock:
            for owner, batch in list(self._batches.items()):
                if batch.settled and not batch.watched and not keep(batch):
                    del self._batches[owner]
