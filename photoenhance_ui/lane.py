"""The photos on their way through the device: one in front, others in the gaps of its batches.

The front photo is carried through as a whole. Where it has fewer pictures for a batch than the
device takes, those of photos beside it are computed along. A device that takes one picture
at a time has one photo at a time. No threads.
"""

import logging
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from photoenhance_ui.catalogue import Role, logged_name
from photoenhance_ui.contracts import Work
from photoenhance_ui.errors import MemoryExhausted
from photoenhance_ui.memory import AtOnce

log = logging.getLogger(__name__)

MOST_BESIDE = 3
"""Photos that are begun before it is their turn; each holds its unfinished result."""


@dataclass(frozen=True, eq=False)
class Asked:
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

    def each(self) -> "list[Asked]":
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


@dataclass(eq=False)
class Carried:
    """A photo on its way: its steps, and what it waits for.

    ``steps`` yields Asked, and is sent the outputs or thrown the error, and whatever else is to be
    told. Where the photo is cancelled, it ends once it goes on, whatever it is sent.
    """

    id: str
    steps: Generator[Any, Any, None]
    tell: Callable[[Any, float], None]
    """Is given what happens, and the photo's seconds so far."""
    is_cancelled: Callable[[], bool]
    is_first: bool = False
    """Whether it is its owner's first, which goes ahead."""
    asked: Asked | None = None
    seconds: float = 0.0
    """Of the lane's time since it was begun, with its pictures' share of batches."""
    is_begun: bool = False
    """Whether it told of anything; what comes before is no work on the photo."""

    def go_on(self, answer: Answer) -> None:
        """Tell what happens up to the next work, or to the end, where nothing is asked."""
        self.asked, began = None, time.monotonic()
        try:
            step = (
                self.steps.send(answer.outputs)
                if answer.error is None
                else self.steps.throw(answer.error)
            )
            while not isinstance(step, Asked):
                began = self._spent_since(began)
                self.is_begun = True
                self.tell(step, self.seconds)
                step = next(self.steps)
        except StopIteration:
            return
        self._spent_since(began)
        self.asked = step

    def _spent_since(self, began: float) -> float:
        now = time.monotonic()
        if self.is_begun:
            self.seconds += now - began
        return now


def batch_of(front: Carried, beside: Sequence[Carried], most: int) -> list[Carried]:
    """The front photo and those beside it whose work fits into its gap as a whole."""
    assert front.asked is not None
    batch, kind, room = [front], front.asked.kind, most - front.asked.pictures
    for photo in beside:
        assert photo.asked is not None
        if photo.asked.pictures <= room and photo.asked.kind == kind:
            batch.append(photo)
            room -= photo.asked.pictures
    return batch


class Lane:
    """Carries photos through the device, one after the other, each with others in its gaps.

    For one thread. A photo's failure, and its end, concern no other photo.
    """

    def __init__(
        self,
        run: Callable[[Work, str], Any],
        at_once: AtOnce,
        another: Callable[[], Carried | None],
    ) -> None:
        """``run`` computes work in a precision; ``another`` gives the next photo that waits."""
        self._run = run
        self._at_once = at_once
        self._another = another
        self._beside: list[Carried] = []

    def first_behind(self, photo_id: str) -> bool:
        """Whether somebody's first photo waits beside the front and was begun after this one."""
        begun = [photo.id for photo in self._beside]
        behind = begun.index(photo_id) + 1 if photo_id in begun else 0
        return any(photo.is_first for photo in self._beside[behind:])

    def next_front(self, *, first_waits: bool) -> Carried | None:
        """The photo beside whose turn it is; None where it is that of one that was not begun.

        The oldest; but first photos are ahead of others, also one that ``first_waits`` tells of,
        so that nobody's waits for more than one photo of each other owner.
        """
        firsts = [photo for photo in self._beside if photo.is_first]
        turn = next(iter(firsts or ([] if first_waits else self._beside)), None)
        if turn is not None:
            self._beside.remove(turn)
        return turn

    def carry(self, front: Carried) -> None:
        """Carry a photo to its end."""
        if front.asked is None:
            self._go_on(front, Answer())
        while self._waits(front):
            for photo, answer in self._computed(self._batch(front)):
                self._go_on(photo, answer)

    def _waits(self, front: Carried) -> bool:
        """Whether the front photo waits for work, once all that are cancelled have ended."""
        for photo in [front, *self._beside]:
            if photo.asked is not None and photo.is_cancelled():
                self._go_on(photo, Answer())
        return front.asked is not None

    def _go_on(self, photo: Carried, answer: Answer) -> None:
        """On to the next work that others can share; what nobody can is computed at once."""
        photo.go_on(answer)
        while photo.asked is not None and not photo.asked.is_shared:
            ((_, answer),) = self._computed([photo])
            photo.go_on(answer)
        if photo.asked is None and photo in self._beside:
            self._beside.remove(photo)

    def _batch(self, front: Carried) -> list[Carried]:
        """The next batch; others that wait are begun while it has a gap."""
        assert front.asked is not None
        most = self._at_once.most(front.asked.work)
        batch = batch_of(front, self._beside, most)
        for _ in range(MOST_BESIDE - len(self._beside)):
            has_gap = sum(photo.asked.pictures for photo in batch if photo.asked) < most
            other = self._another() if has_gap else None
            if other is None:
                break
            self._beside.append(other)
            self._go_on(other, Answer())
            batch = batch_of(front, self._beside, most)
        return batch

    # Computing

    def _computed(self, batch: list[Carried]) -> list[tuple[Carried, Answer]]:
        """What came of the work of each; the time that it took is theirs by their pictures."""
        asked = [photo.asked for photo in batch if photo.asked is not None]
        began = time.monotonic()
        answers = self._answers(asked)
        each = (time.monotonic() - began) / sum(one.pictures for one in asked)
        for photo, one in zip(batch, asked, strict=True):
            photo.seconds += each * one.pictures
        return list(zip(batch, answers, strict=True))

    def _answers(self, batch: list[Asked]) -> list[Answer]:
        """One for each, in their order; only what fails by itself has failed."""
        pictures = sum(asked.pictures for asked in batch)
        if pictures <= self._at_once.most(batch[0].work):
            answers = self._run_together(batch)
            if answers is not None:
                return answers
        if len(batch) > 1:
            return [answer for asked in batch for answer in self._answers([asked])]
        return [self._picture_by_picture(batch[0])]

    def _picture_by_picture(self, asked: Asked) -> Answer:
        outputs = []
        for picture in asked.each():
            (answer,) = self._answers([picture])
            if answer.error is not None:
                return answer
            outputs.append(answer.outputs)
        try:
            return Answer(np.concatenate(outputs))
        except MemoryError as error:
            return Answer(error=error)

    def _run_together(self, batch: list[Asked]) -> list[Answer] | None:
        """What one run gives for each; None where several pictures failed together.

        The error is gone then, and with it what it holds of the device's memory.
        """
        network, pictures = batch[0].work.network, sum(asked.pictures for asked in batch)
        try:
            return _parted(self._run(_joined(batch), batch[0].precision), batch)
        except Exception as error:  # noqa: BLE001 - isolates one photo from all others
            if pictures == 1:
                return [Answer(error=error)]
            if isinstance(error, MemoryExhausted | MemoryError):
                self._at_once.lower(network)
            log.info("batch_failed network=%s pictures=%d", logged_name(network), pictures)
            return None


def _joined(batch: list[Asked]) -> Work:
    work = batch[0].work
    if len(batch) == 1:
        return work
    return replace(work, inputs=np.concatenate([asked.work.inputs for asked in batch]))


def _parted(outputs: Any, batch: list[Asked]) -> list[Answer]:
    """To each what it asked for; copied, so that no photo holds another's pixels."""
    if len(batch) == 1:
        return [Answer(outputs)]
    ends = np.cumsum([asked.pictures for asked in batch])[:-1]
    return [Answer(part.copy()) for part in np.split(outputs, ends)]
