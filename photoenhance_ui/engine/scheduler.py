"""Which photo is next: pure, no clock, no threads.

Between owners: deficit round robin (Shreedhar and Varghese, 1995) on estimated operations, so
that somebody with large photos gets no more of the machine than somebody with small ones. Within
an owner: the shortest first, so that most photos come soon. And each owner's first photo goes ahead
once, so that nobody's waits for more than one photo of each other owner.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush


class Scheduler:
    """Says whose turn it is, of the photos that wait and of those that were prefetched.

    One photo at a time is current. While it is, others may be prefetched: begun before their turn,
    because the device has room for their work. Photos are named by their ids.
    """

    def __init__(self) -> None:
        self._waiting = FairQueue()
        self._prefetched: dict[str, bool] = {}
        """The ids in the order in which they were begun; True where it is its owner's first."""

    @property
    def waiting(self) -> int:
        """How many photos wait that were not begun."""
        return len(self._waiting)

    @property
    def prefetched(self) -> list[str]:
        """The photos that were begun before their turn, the oldest first."""
        return list(self._prefetched)

    def add(self, owner: str, photo_id: str, operations: float) -> None:
        """Let a photo of so many estimated operations (above 0) wait."""
        self._waiting.add(owner, photo_id, operations)

    def remove(self, owner: str, photo_id: str) -> bool:
        """Take a waiting photo out; False where it does not wait (any more)."""
        return self._waiting.remove(owner, photo_id)

    def next(self) -> str | None:
        """The photo that is current from now on; None where there is none.

        The oldest of those prefetched; but first photos are ahead of others, also one that waits,
        so that nobody's waits for more than one photo of each other owner. Where there is none,
        the machine rests, and afterwards each owner has a first photo again.
        """
        turn = self._next_prefetched()
        if turn is not None:
            del self._prefetched[turn]
            return turn
        turn = self._waiting.next()
        if turn is None:
            self._waiting.rest()
        return turn

    def prefetch(self) -> str | None:
        """The next waiting photo, begun beside the current one; None where nobody waits."""
        is_first = self._waiting.first_waits()
        photo_id = self._waiting.next()
        if photo_id is not None:
            self._prefetched[photo_id] = is_first
        return photo_id

    def ended(self, photo_id: str) -> None:
        """The photo has come to its end, as the current one or before its turn."""
        self._prefetched.pop(photo_id, None)

    def first_waits(self, behind: str) -> bool:
        """Whether somebody's first photo waits behind this one, be it begun or not."""
        begun = list(self._prefetched)
        later = begun[begun.index(behind) + 1 :] if behind in begun else begun
        return self._waiting.first_waits() or any(self._prefetched[one] for one in later)

    def _next_prefetched(self) -> str | None:
        """The prefetched photo whose turn it is; None where it is that of one that waits."""
        first = next((one for one, is_first in self._prefetched.items() if is_first), None)
        if first is not None or self._waiting.first_waits():
            return first
        return next(iter(self._prefetched), None)


@dataclass(order=True, frozen=True)
class _Waiting:
    operations: float
    """Estimated; also the order within an owner."""
    arrival: int
    id: str = field(compare=False)


@dataclass(eq=False)
class _Line:
    """One owner's waiting photos, a heap; and what the owner may still use in this round."""

    photos: list[_Waiting] = field(default_factory=list)
    credit: float = 0.0


class FairQueue:
    """The photos that wait, by owner."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        self._served: set[str] = set()
        """Owners who had their photo ahead since the last rest."""
        self._arrivals = 0

    def __len__(self) -> int:
        return sum(len(line.photos) for line in self._lines.values())

    def add(self, owner: str, photo_id: str, operations: float) -> None:
        """Let a photo of so many estimated operations (above 0) wait."""
        line = self._lines.setdefault(owner, _Line())
        heappush(line.photos, _Waiting(operations, self._arrivals, photo_id))
        self._arrivals += 1

    def remove(self, owner: str, photo_id: str) -> bool:
        """Take a waiting photo out; False where it does not wait (any more)."""
        line = self._lines.get(owner, _Line())
        left = [photo for photo in line.photos if photo.id != photo_id]
        if len(left) == len(line.photos):
            return False
        heapify(left)
        line.photos = left
        self._forget_if_empty(owner)
        return True

    def rest(self) -> None:
        """Nobody waits and nothing is worked on: from now on each has a first photo again."""
        self._served.clear()

    def first_waits(self) -> bool:
        """Whether somebody's first photo waits; whoever has the turn now has had theirs."""
        return any(owner not in self._served for owner in self._lines)

    def next(self) -> str | None:
        """The photo whose turn it is, taken out; None where nobody waits."""
        if not self._lines:
            return None
        owner = next((name for name in self._lines if name not in self._served), None)
        is_ahead = owner is not None  # for which nobody has to pay
        if owner is None:
            owner = self._whose_turn()
        line = self._lines[owner]
        photo = heappop(line.photos)
        line.credit -= 0.0 if is_ahead else photo.operations
        self._served.add(owner)
        self._forget_if_empty(owner)
        return photo.id

    def _whose_turn(self) -> str:
        """The owner in front whose credit pays for the shortest photo; others move to the back.

        A quantum of the largest waiting photo means that one round always pays for somebody's.
        """
        quantum = max(photo.operations for line in self._lines.values() for photo in line.photos)
        while True:
            owner, line = next(iter(self._lines.items()))
            if line.credit >= line.photos[0].operations:
                return owner
            line.credit += quantum
            self._lines.move_to_end(owner)

    def _forget_if_empty(self, owner: str) -> None:
        """An owner who has nothing waiting saves up no credit."""
        if not self._lines[owner].photos:
            del self._lines[owner]
