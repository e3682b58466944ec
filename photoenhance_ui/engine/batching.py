"""Which pictures of which photos are computed together, and what becomes of a batch that fails.

The current photo is carried through as a whole. Where it has fewer pictures for a batch than the
device takes, those of prefetched photos are computed along. A device that takes one picture at a
time has one photo at a time. No threads.
"""

import logging
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from photoenhance_ui.catalogue import Role, logged_name
from photoenhance_ui.engine.memory import BatchSizes
from photoenhance_ui.errors import MemoryExhausted
from photoenhance_ui.pipeline.contracts import Work

log = logging.getLogger(__name__)

MAX_PREFETCHED = 3
"""Photos that are begun before it is their turn; each holds its unfinished result."""


@dataclass(frozen=True, eq=False)
class PendingWork:
    """Work that a photo waits for."""

    work: Work
    precision: str

    @property
    def is_shared(self) -> bool:
        """Whether its pictures may be computed in one batch with those of others."""
        return self.work.role is not Role.DETECTOR

    @property
    def pictures(self) -> int:
        """How many there are in it."""
        return len(self.work.inputs)

    @property
    def kind(self) -> tuple[object, ...]:
        """What is equal for all of a batch; only for work that is shared."""
        work = self.work
        pictures = (work.inputs.shape[1:], work.inputs.dtype)
        return (work.role, work.network, work.denoise, self.precision, *pictures)

    def each(self) -> "list[PendingWork]":
        """The same, picture by picture."""
        inputs = self.work.inputs
        return [
            replace(self, work=replace(self.work, inputs=inputs[n : n + 1]))
            for n in range(len(inputs))
        ]


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of work: the network's outputs, or why there are none."""

    outputs: Any = None
    error: Exception | None = None


Steps = Generator[Any, Any, Any]
"""The steps of a photo: yield PendingWork, which is sent the outputs or thrown the error, and
whatever else happens; and return what happens last."""


@dataclass(eq=False)
class PhotoTask:
    """A photo on its way: its steps, and the work that it waits for.

    Where the photo is cancelled, it ends once it goes on, whatever it is sent.
    """

    id: str
    steps: Steps
    tell: Callable[[Any, float], None]
    """Is given what happens, and the photo's seconds so far."""
    is_cancelled: Callable[[], bool]
    pending: PendingWork | None = None
    last: Any = None
    """What happened last, once the photo has come to its end; not told yet."""
    seconds: float = 0.0
    """What the device's thread worked on it, with its pictures' share of batches."""
    is_begun: bool = False
    """Whether anything happened; what comes before is no work on the photo."""

    def go_on(self, answer: Answer) -> None:
        """Tell what happens up to the next work, or go to the end, where none is pending."""
        self.pending, began = None, time.monotonic()
        try:
            step = (
                self.steps.send(answer.outputs)
                if answer.error is None
                else self.steps.throw(answer.error)
            )
            while not isinstance(step, PendingWork):
                began = self._spent_since(began)
                self.is_begun = True
                self.tell(step, self.seconds)
                step = next(self.steps)
            self.pending = step
        except StopIteration as end:
            self.last = end.value
        self._spent_since(began)

    def tell_last(self) -> None:
        """Tell what happened last, and hold it no longer."""
        last, self.last = self.last, None
        self.tell(last, self.seconds)

    def _spent_since(self, began: float) -> float:
        now = time.monotonic()
        if self.is_begun:
            self.seconds += now - began
        return now


class Turns(Protocol):
    """Says whose turn it is; ``PhotoQueue`` does."""

    def next(self) -> PhotoTask | None:
        """The photo that is current from now on; None ends the work."""
        ...

    def prefetch(self) -> PhotoTask | None:
        """A waiting photo that is begun beside the current one; None where nobody waits."""
        ...

    def prefetched(self) -> list[PhotoTask]:
        """The photos that were begun before their turn, the oldest first."""
        ...

    def ended(self, photo_id: str) -> None:
        """The photo has come to its end."""
        ...


def batch_of(
    current: PhotoTask, prefetched: Sequence[PhotoTask], max_pictures: int
) -> list[PhotoTask]:
    """The current photo, and the prefetched ones whose work fits into its gap as a whole."""
    assert current.pending is not None
    kind, room = current.pending.kind, max_pictures - current.pending.pictures
    batch = [current]
    for photo in prefetched:
        assert photo.pending is not None
        if photo.pending.pictures <= room and photo.pending.kind == kind:
            batch.append(photo)
            room -= photo.pending.pictures
    return batch


class DeviceBatcher:
    """Carries photos through the device, one after the other, each with others in its gaps.

    For one thread. A photo's failure, and its end, concern no other photo.
    """

    def __init__(
        self, run: Callable[[Work, str], Any], batch_sizes: BatchSizes, turns: Turns
    ) -> None:
        """``run`` computes work in a precision."""
        self._computer = BatchComputer(run, batch_sizes)
        self._batch_sizes = batch_sizes
        self._turns = turns

    def work(self) -> None:
        """Carry photo after photo, until there are no more turns."""
        while (photo := self._turns.next()) is not None:
            self.carry(photo)
            del photo  # who waits holds none

    def carry(self, current: PhotoTask) -> None:
        """Carry a photo to its end."""
        if current.pending is None:
            self._go_on(current, Answer())
        while self._is_pending(current):
            for photo, answer in self._computer.computed(self._batch(current)):
                self._go_on(photo, answer)

    def _is_pending(self, current: PhotoTask) -> bool:
        """Whether the current photo waits for work, once all that are cancelled have ended."""
        for photo in [current, *self._turns.prefetched()]:
            if photo.pending is not None and photo.is_cancelled():
                self._go_on(photo, Answer())
        return current.pending is not None

    def _go_on(self, photo: PhotoTask, answer: Answer) -> None:
        """On to the next work that others can share; what nobody can is computed at once."""
        photo.go_on(answer)
        while photo.pending is not None and not photo.pending.is_shared:
            ((_, answer),) = self._computer.computed([photo])
            photo.go_on(answer)
        if photo.pending is None:
            self._turns.ended(photo.id)
            photo.tell_last()

    def _batch(self, current: PhotoTask) -> list[PhotoTask]:
        """The next batch; photos that wait are begun while it has a gap."""
        assert current.pending is not None
        max_pictures = self._batch_sizes.max_pictures(current.pending.work)
        prefetched = self._turns.prefetched()
        batch = batch_of(current, prefetched, max_pictures)
        for _ in range(MAX_PREFETCHED - len(prefetched)):
            has_gap = sum(photo.pending.pictures for photo in batch if photo.pending) < max_pictures
            other = self._turns.prefetch() if has_gap else None
            if other is None:
                break
            self._go_on(other, Answer())
            batch = batch_of(current, self._turns.prefetched(), max_pictures)
        return batch


class BatchComputer:
    """Computes the work of some photos in one batch, or in smaller ones where that fails.

    For one thread. Only what fails by itself has failed.
    """

    def __init__(self, run: Callable[[Work, str], Any], batch_sizes: BatchSizes) -> None:
        self._run = run
        self._batch_sizes = batch_sizes

    def computed(self, batch: list[PhotoTask]) -> list[tuple[PhotoTask, Answer]]:
        """What came of the work of each; the time that it took is theirs by their pictures."""
        pending = [photo.pending for photo in batch if photo.pending is not None]
        began = time.monotonic()
        answers = self._answers(pending)
        each = (time.monotonic() - began) / sum(one.pictures for one in pending)
        for photo, one in zip(batch, pending, strict=True):
            photo.seconds += each * one.pictures
        return list(zip(batch, answers, strict=True))

    def _answers(self, batch: list[PendingWork]) -> list[Answer]:
        """One for each, in their order; only what fails by itself has failed."""
        pictures = sum(pending.pictures for pending in batch)
        if pictures <= self._batch_sizes.max_pictures(batch[0].work):
            answers = self._run_together(batch)
            if answers is not None:
                return answers
        if len(batch) > 1:
            return [answer for pending in batch for answer in self._answers([pending])]
        return [self._picture_by_picture(batch[0])]

    def _picture_by_picture(self, pending: PendingWork) -> Answer:
        outputs = []
        for picture in pending.each():
            (answer,) = self._answers([picture])
            if answer.error is not None:
                return answer
            outputs.append(answer.outputs)
        try:
            return Answer(np.concatenate(outputs))
        except MemoryError as error:
            return Answer(error=error)

    def _run_together(self, batch: list[PendingWork]) -> list[Answer] | None:
        """What one run gives for each; None where several pictures failed together.

        The error is gone then, and with it what it holds of the device's memory.
        """
        network, pictures = batch[0].work.network, sum(pending.pictures for pending in batch)
        try:
            return _parted(self._run(_joined(batch), batch[0].precision), batch)
        except Exception as error:  # noqa: BLE001 - isolates one photo from all others
            if pictures == 1:
                return [Answer(error=error)]
            if isinstance(error, MemoryExhausted | MemoryError):
                self._batch_sizes.lower(network)
            log.info("batch_failed network=%s pictures=%d", logged_name(network), pictures)
            return None


def _joined(batch: list[PendingWork]) -> Work:
    work = batch[0].work
    if len(batch) == 1:
        return work
    return replace(work, inputs=np.concatenate([pending.work.inputs for pending in batch]))


def _parted(outputs: Any, batch: list[PendingWork]) -> list[Answer]:
    """To each what it asked for; copied, so that no photo holds another's pixels."""
    if len(batch) == 1:
        return [Answer(outputs)]
    ends = np.cumsum([pending.pictures for pending in batch])[:-1]
    return [Answer(part.copy()) for part in np.split(outputs, ends)]
