"""Which photo is next: pure, no clock, no threads.

Between owners: deficit round robin (Shreedhar and Varghese, 1995) on estimated operations, so
that somebody with large photos gets no more of the machine than somebody with small ones. Within
an owner: the shortest first, so that most photos come soon. And each owner's first photo goes ahead
once, so that nobody's waits for more than one photo of each other owner.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush


@dataclass(order=True, frozen=True)
class _Job:
    operations: float
    """Estimated; also the order within an owner."""
    arrival: int
    id: str = field(compare=False)


@dataclass(eq=False)
class _Line:
    """One owner's waiting jobs, a heap; and what the owner may still use in this round."""

    jobs: list[_Job] = field(default_factory=list)
    credit: float = 0.0


class Scheduler:
    """The photos that wait, by owner."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        self._served: set[str] = set()
        """Owners who had their photo ahead since the last rest."""
        self._arrivals = 0

    def __len__(self) -> int:
        return sum(len(line.jobs) for line in self._lines.values())

    def add(self, owner: str, job_id: str, operations: float) -> None:
        """Let a job of so many estimated operations (above 0) wait."""
        line = self._lines.setdefault(owner, _Line())
        heappush(line.jobs, _Job(operations, self._arrivals, job_id))
        self._arrivals += 1

    def remove(self, owner: str, job_id: str) -> bool:
        """Take a waiting job out; False where it does not wait (any more)."""
        line = self._lines.get(owner, _Line())
        kept = [job for job in line.jobs if job.id != job_id]
        if len(kept) == len(line.jobs):
            return False
        heapify(kept)
        line.jobs = kept
        self._forget_if_empty(owner)
        return True

    def rest(self) -> None:
        """Nobody waits and nothing is worked on: from now on each has a first photo again."""
        self._served.clear()

    def first_waits(self) -> bool:
        """Whether somebody's first photo waits; whoever has the turn now has had theirs."""
        return any(owner not in self._served for owner in self._lines)

    def next(self) -> str | None:
        """The job whose turn it is, taken out; None where nobody waits."""
        if not self._lines:
            return None
        owner = next((name for name in self._lines if name not in self._served), None)
        is_ahead = owner is not None  # for which nobody has to pay
        if owner is None:
            owner = self._whose_turn()
        line = self._lines[owner]
        job = heappop(line.jobs)
        line.credit -= 0.0 if is_ahead else job.operations
        self._served.add(owner)
        self._forget_if_empty(owner)
        return job.id

    def _whose_turn(self) -> str:
        """The owner in front whose credit pays for the shortest job; others move to the back.

        A quantum of the largest waiting job means that one round always pays for somebody's.
        """
        quantum = max(job.operations for line in self._lines.values() for job in line.jobs)
        while True:
            owner, line = next(iter(self._lines.items()))
            if line.credit >= line.jobs[0].operations:
                return owner
            line.credit += quantum
            self._lines.move_to_end(owner)

    def _forget_if_empty(self, owner: str) -> None:
        """An owner who has nothing waiting saves up no credit."""
        if not self._lines[owner].jobs:
            del self._lines[owner]
