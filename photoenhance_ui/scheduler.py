"""Which photo is next: pure, no clock, no threads.

Owners take turns, one photo each, in the order in which they first waited; within an owner
it is first come, first served. So nobody's first photo waits for more than one photo of each
other owner.
"""

from collections import OrderedDict, deque


class Scheduler:
    """The photos that wait, by owner."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[str]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(jobs) for jobs in self._waiting.values())

    def add(self, owner: str, job_id: str) -> None:
        """Let a job wait behind the others of its owner."""
        self._waiting.setdefault(owner, deque()).append(job_id)

    def remove(self, owner: str, job_id: str) -> bool:
        """Take a waiting job out; False where it does not wait (any more)."""
        jobs = self._waiting.get(owner, deque())
        if job_id not in jobs:
            return False
        jobs.remove(job_id)
        if not jobs:
            del self._waiting[owner]
        return True

    def next(self) -> str | None:
        """The job whose turn it is, taken out; its owner moves behind the other owners."""
        if not self._waiting:
            return None
        owner, jobs = self._waiting.popitem(last=False)
        job_id = jobs.popleft()
        if jobs:
            self._waiting[owner] = jobs
        return job_id
