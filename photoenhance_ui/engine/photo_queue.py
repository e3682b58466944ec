"""The photos of an engine from their arrival to their end, for many threads."""

import threading

from photoenhance_ui.engine.batching import PhotoTask
from photoenhance_ui.engine.interface import QueueLength
from photoenhance_ui.engine.scheduler import Scheduler


class PhotoQueue:
    """Holds the tasks of photos and gives out the one whose turn it is. Thread-safe.

    Any thread adds and removes; the device's thread alone takes tasks and says when they end.
    """

    def __init__(self) -> None:
        self._scheduler = Scheduler()
        self._tasks: dict[str, PhotoTask] = {}
        """Those that wait or are worked on."""
        self._closed = False
        self._changed = threading.Condition()

    def add(self, owner: str, task: PhotoTask, operations: float) -> None:
        """Let a photo wait that will about need so many operations."""
        with self._changed:
            self._tasks[task.id] = task
            self._scheduler.add(owner, task.id, operations)
            self._changed.notify_all()

    def remove(self, owner: str, photo_id: str) -> bool:
        """Take a waiting photo out; False where it does not wait (any more)."""
        with self._changed:
            removed = self._scheduler.remove(owner, photo_id)
            if removed:
                del self._tasks[photo_id]
            return removed

    def close(self) -> None:
        """Let who waits in ``next`` go, once no photo is left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def length(self) -> QueueLength:
        """How many photos there are."""
        with self._changed:
            waiting = self._scheduler.waiting
            return QueueLength(working=len(self._tasks) - waiting, waiting=waiting)

    # For the device's thread

    def next(self, *, wait: bool = True) -> PhotoTask | None:
        """The photo that is current from now on; with ``wait``, None only once it is closed."""
        with self._changed:
            while (photo_id := self._scheduler.next()) is None:
                if self._closed or not wait:
                    return None
                self._changed.wait()
            return self._tasks[photo_id]

    def prefetch(self) -> PhotoTask | None:
        """The next waiting photo, which is begun beside the current one; None without one."""
        with self._changed:
            photo_id = self._scheduler.prefetch()
            return None if photo_id is None else self._tasks[photo_id]

    def prefetched(self) -> list[PhotoTask]:
        """The photos that were begun before their turn, the oldest first."""
        with self._changed:
            return [self._tasks[photo_id] for photo_id in self._scheduler.prefetched]

    def ended(self, photo_id: str) -> None:
        """The photo has come to its end."""
        with self._changed:
            self._scheduler.ended(photo_id)
            del self._tasks[photo_id]

    def first_waits(self, behind: str) -> bool:
        """Whether somebody's first photo waits behind this one, be it begun or not."""
        with self._changed:
            return self._scheduler.first_waits(behind)
