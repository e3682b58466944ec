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
from photoenhance_ui.errors import PhotoRefused, TooManyCalls, TooMuchAtOnce
from photoenhance_ui.images.codec import Limits, probe
from photoenhance_ui.settings import Settings

MINUTE_S = 60.0


@dataclass(frozen=True)
class Load:
    """How much some photos weigh together."""

    photos: int = 0
    bytes: int = 0
    pixels: int = 0

    def __add__(self, other: "Load") -> "Load":
        return Load(
            self.photos + other.photos, self.bytes + other.bytes, self.pixels + other.pixels
        )


@dataclass(eq=False)
class _Admission:
    """Photos that came with one call; until they are in a batch, all of them count as waiting."""

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
    _admitted: dict[str, list[_Admission]] = field(default_factory=dict)
    _calls: dict[str, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note_call(self, owner: str) -> None:
        """Count a call of the owner; raises TooManyCalls where it was one too many."""
        max_calls, now = self.settings.max_calls_per_minute, self.clock()
        with self._lock:
            _drop(self._calls, lambda times: times[-1] > now - MINUTE_S)
            times = self._calls.setdefault(owner, deque(maxlen=max_calls))
            if len(times) == max_calls and times[0] > now - MINUTE_S:
                raise TooManyCalls(
                    f"This is more than {max_calls} calls in a minute. Wait a moment, or send "
                    "several photos with one call."
                )
            times.append(now)

    def fill(self, owner: str, paths: Sequence[Path], open_batch: Callable[[], Batch]) -> Batch:
        """Open a batch, add the photos to it, and give it back.

        Raises TooMuchAtOnce with a sentence, before any of them is added.
        """
        admission = _Admission([self._load_of(path) for path in paths])
        with self._lock:
            _drop(self._admitted, lambda admissions: any(not one.ended for one in admissions))
            before = [one for one in self._admitted.get(owner, ()) if not one.ended]
            self._check(_sum(one.waiting for one in (*before, admission)))
            self._admitted[owner] = [*before, admission]
        try:
            batch = open_batch()
            admission.ids = [batch.add(path) for path in paths]
            admission.batch = batch
        except BaseException:
            with self._lock:
                self._admitted[owner].remove(admission)
            raise
        return batch

    def _check(self, load: Load) -> None:
        settings = self.settings
        for amount, bound, unit in (
            (load.photos, max(settings.max_waiting_photos, settings.max_photos), "photos"),
            (load.bytes / 1e6, settings.max_waiting_megabytes, "MB of photos"),
            (load.pixels / 1e6, settings.max_waiting_megapixels, "megapixels"),
        ):
            if amount > bound:
                raise TooMuchAtOnce(
                    f"With these, {amount:.10g} {unit} of yours would wait, and {bound:.10g} may "
                    "at once. Wait until some have ended."
                )

    def _load_of(self, path: Path) -> Load:
        """Read a photo's header; one that cannot be read fails later, and counts by its bytes."""
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
