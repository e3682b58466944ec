"""What one owner may ask for at once: photos that wait, their bytes and pixels, calls a minute.

The defaults are far above what a person on their own machine does. What has ended counts no more.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.codec import Limits, probe
from photoenhance_ui.errors import PhotoRefused, TooManyCalls, TooMuchAtOnce
from photoenhance_ui.settings import Settings

MINUTE_S = 60.0


@dataclass(frozen=True)
class Load:
    """What photos weigh."""

    photos: int = 0
    bytes: int = 0
    pixels: int = 0

    def __add__(self, other: "Load") -> "Load":
        return Load(
            self.photos + other.photos, self.bytes + other.bytes, self.pixels + other.pixels
        )


@dataclass(eq=False)
class _Taken:
    """Photos that were taken in together; before they are in a batch, all of them wait."""

    loads: Sequence[Load]
    batch: Batch | None = None
    ids: Sequence[str] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing of them waits or is worked on."""
        return self.batch is not None and all(self.batch.row(id).state.settled for id in self.ids)

    @property
    def waiting(self) -> Load:
        """What of them waits or is worked on."""
        if self.batch is None:
            return _sum(self.loads)
        each = zip(self.ids, self.loads, strict=True)
        return _sum(load for id, load in each if not self.batch.row(id).state.settled)


@dataclass(eq=False)
class Bounds:
    """Who has what waiting, and how often they called."""

    settings: Settings
    clock: Callable[[], float] = time.monotonic
    _taken: dict[str, list[_Taken]] = field(default_factory=dict)
    _calls: dict[str, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note_call(self, owner: str) -> None:
        """The owner sends photos; raises TooManyCalls with a sentence where it is too often."""
        most, now = self.settings.max_calls_per_minute, self.clock()
        with self._lock:
            _drop(self._calls, lambda times: times[-1] > now - MINUTE_S)
            times = self._calls.setdefault(owner, deque(maxlen=most))
            if len(times) == most and times[0] > now - MINUTE_S:
                raise TooManyCalls(
                    f"This is more than {most} calls in a minute. Wait a moment, or send several "
                    "photos with one call."
                )
            times.append(now)

    def fill(self, owner: str, paths: Sequence[Path], open_batch: Callable[[], Batch]) -> Batch:
        """The batch, with the photos in it.

        Raises TooMuchAtOnce with a sentence, before any of them is taken in.
        """
        taken = _Taken([self._load_of(path) for path in paths])
        with self._lock:
            _drop(self._taken, lambda all_taken: any(not one.ended for one in all_taken))
            before = [one for one in self._taken.get(owner, ()) if not one.ended]
            self._check(_sum(one.waiting for one in (*before, taken)))
            self._taken[owner] = [*before, taken]
        try:
            batch = open_batch()
            taken.ids = [batch.add(path) for path in paths]
            taken.batch = batch
        except BaseException:
            with self._lock:
                self._taken[owner].remove(taken)
            raise
        return batch

    def _check(self, load: Load) -> None:
        settings = self.settings
        for told, most, what in (
            (load.photos, max(settings.max_waiting_photos, settings.max_photos), "photos"),
            (load.bytes / 1e6, settings.max_waiting_megabytes, "MB of photos"),
            (load.pixels / 1e6, settings.max_waiting_megapixels, "megapixels"),
        ):
            if told > most:
                raise TooMuchAtOnce(
                    f"With these, {told:.10g} {what} of yours would wait, and {most:.10g} may at "
                    "once. Wait until some have ended."
                )

    def _load_of(self, path: Path) -> Load:
        """By its header; what cannot be read fails by itself later, and weighs its bytes."""
        size = pixels = 0
        with suppress(PhotoRefused, OSError):
            size = path.stat().st_size
            pixels = probe(path, Limits.of(self.settings)).pixels
        return Load(1, size, pixels)


def _sum(loads: Iterable[Load]) -> Load:
    return sum(loads, Load())


def _drop(kept: dict[str, Any], wanted: Callable[[Any], bool]) -> None:
    """Forget the owners of whom nothing is wanted any more, so that memory does not grow."""
    for owner in [owner for owner, what in kept.items() if not wanted(what)]:
        del kept[owner]
