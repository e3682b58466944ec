"""Photos through the device: to each its own, in turn, whatever becomes of the others."""

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.catalogue import Role
from photoenhance_ui.engine.batching import (
    MAX_PREFETCHED,
    Answer,
    DeviceBatcher,
    PendingWork,
    PhotoTask,
    batch_of,
)
from photoenhance_ui.engine.memory import BatchSizes
from photoenhance_ui.engine.photo_queue import PhotoQueue
from photoenhance_ui.engine.scheduler import FairQueue
from photoenhance_ui.errors import MemoryExhausted, NetworkFailed
from photoenhance_ui.pipeline.contracts import Work

LEFT_OUT = 10_000
"""Pictures are numbers; a network adds this."""


@dataclass
class Job:
    """A photo: what it wants computed, and what came of it."""

    owner: str
    name: str
    works: list[Work]
    cancelled: bool = False
    answers: list[Any] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def hear(self, told: str, seconds: float) -> None:
        self.told.append(told)
        assert seconds >= self.seconds
        self.seconds = seconds

    def steps(self) -> Generator[Any, Any, str]:
        yield "began"
        for work in self.works:
            try:
                answer = yield PendingWork(work, "exact")
            except (NetworkFailed, MemoryExhausted) as error:
                return type(error).__name__
            if self.cancelled:
                return "cancelled"
            self.answers.append(answer)
            yield "step"
        return "done"

    @property
    def pictures(self) -> set[int]:
        return {int(n) for work in self.works for n in np.ravel(work.inputs)}

    @property
    def last(self) -> str:
        return self.told[-1]

    def has_its_own(self) -> bool:
        """Whether each work was answered with what the network gives for its pictures."""
        return all(
            np.array_equal(answer, np.asarray(work.inputs) + LEFT_OUT)
            for answer, work in zip(self.answers, self.works, strict=False)
        )


class House:
    """A batcher with its queue, as the engine has them, and networks that keep a record."""

    def __init__(self, jobs: list[Job], tiles: int, faces: int = 1) -> None:
        self.jobs = {job.name: job for job in jobs}
        self.broken: set[int] = set()
        self.room = 1_000
        self.runs: list[Work] = []
        self.carried: list[str] = []
        self.begun: list[str] = []
        self.prefetched: list[int] = []
        self.before_each: Callable[[Work], None] = lambda work: None
        """Is called before each run."""
        self.queue = PhotoQueue()
        self.batch_sizes = BatchSizes(tiles, faces)
        self.batcher = DeviceBatcher(self.run, self.batch_sizes, self.queue)
        for job in jobs:
            self.add(job)

    def add(self, job: Job) -> None:
        self.jobs[job.name] = job
        task = PhotoTask(job.name, self.steps(job), job.hear, lambda: job.cancelled)
        self.queue.add(job.owner, task, cost_of(job))

    def steps(self, job: Job) -> Generator[Any, Any, str]:
        self.begun.append(job.name)
        return (yield from job.steps())

    def run(self, work: Work, precision: str) -> Any:
        self.before_each(work)
        self.runs.append(work)
        self.prefetched.append(len(self.queue.prefetched()))
        inputs = np.asarray(work.inputs)
        if len(inputs) > self.room:
            raise MemoryExhausted("Too many.")
        if self.broken & set(inputs.ravel().tolist()):
            raise NetworkFailed("Broken.")
        return inputs + LEFT_OUT

    def turn(self) -> bool:
        """Carry one photo; False where nobody waits."""
        current = self.queue.next(wait=False)
        if current is None:
            return False
        self.carried.append(current.id)
        self.batcher.carry(current)
        return True

    def work(self) -> None:
        while self.turn():
            pass


def cost_of(job: Job) -> float:
    return 1.0 + len(job.pictures)


def tiles(pictures: list[int], width: int = 1, network: str = "upscaler") -> Work:
    inputs = np.repeat(np.array(pictures)[:, None], width, axis=1)
    return Work(Role.UPSCALER, network, inputs, 0.5)


def pending(name: str, work: Work) -> PhotoTask:
    """A photo that nobody listens to and that waits for this work."""
    steps = job("a", name, work).steps()
    return PhotoTask(name, steps, lambda told, seconds: None, bool, PendingWork(work, "exact"))


def job(owner: str, name: str, *works: Work) -> Job:
    return Job(owner, name, list(works))


@st.composite
def some_jobs(draw: st.DrawFn) -> list[Job]:
    """Photos of some owners with works of several kinds; each picture has a number of its own."""
    numbers = iter(range(1_000))
    jobs = []
    for index in range(draw(st.integers(1, 8))):
        works = []
        for _ in range(draw(st.integers(0, 4))):
            pictures = [next(numbers) for _ in range(draw(st.integers(1, 4)))]
            role = draw(
                st.sampled_from([Role.DETECTOR, Role.UPSCALER, Role.UPSCALER, Role.RESTORER])
            )
            work = tiles(pictures, draw(st.integers(1, 2)), role.value)
            if role is Role.DETECTOR:
                work = replace(work, inputs=[pictures[0]])
            works.append(replace(work, role=role))
        owner = draw(st.sampled_from("abc"))
        jobs.append(job(owner, f"{owner}{index}", *works))
    return jobs


def broken_of(jobs: list[Job], data: st.DataObject) -> set[int]:
    every = sorted(set().union(*(job.pictures for job in jobs)))
    return data.draw(st.sets(st.sampled_from(every), max_size=2)) if every else set()


@given(some_jobs(), st.integers(1, 6), st.integers(1, 6), st.integers(1, 8), st.data())
def test_each_photo_gets_its_own_and_only_a_culprit_fails(
    jobs: list[Job], tiles: int, faces: int, room: int, data: st.DataObject
) -> None:
    house = House(jobs, tiles, faces)
    house.broken, house.room = broken_of(jobs, data), room
    house.work()
    for one in jobs:
        fails = one.pictures & house.broken
        assert one.last == ("NetworkFailed" if fails else "done")
        assert one.has_its_own()
        assert len(one.answers) == len(one.works) or fails
    assert sorted(house.begun) == sorted(house.jobs), "each is begun once"


@given(some_jobs(), st.integers(1, 6), st.integers(1, 6), st.data())
def test_a_batch_holds_no_more_than_allowed_and_only_a_few_are_prefetched(
    jobs: list[Job], tiles: int, faces: int, data: st.DataObject
) -> None:
    house = House(jobs, tiles, faces)
    house.broken = broken_of(jobs, data)
    house.work()
    most = {Role.UPSCALER: tiles, Role.RESTORER: faces, Role.DETECTOR: 1}
    assert all(len(work.inputs) <= most[work.role] for work in house.runs)
    assert max(house.prefetched, default=0) <= MAX_PREFETCHED


@given(some_jobs(), st.data())
def test_one_picture_at_a_time_is_one_photo_at_a_time(jobs: list[Job], data: st.DataObject) -> None:
    for one in jobs:
        one.works = [replace(work, inputs=work.inputs[:1]) for work in one.works]
    house = House(jobs, 1)
    house.broken = broken_of(jobs, data)
    alone = FairQueue()
    for one in jobs:
        alone.add(one.owner, one.name, cost_of(one))
    house.work()
    expected = []
    for name in iter(alone.next, None):
        for work in house.jobs[name].works:
            expected.append(np.ravel(work.inputs).tolist())
            if set(expected[-1]) & house.broken:
                break
    assert [np.ravel(work.inputs).tolist() for work in house.runs] == expected
    assert set(house.prefetched) <= {0}


@given(some_jobs(), st.integers(2, 6), st.data())
def test_the_current_photo_is_in_every_batch_and_not_delayed_by_a_failure(
    jobs: list[Job], most: int, data: st.DataObject
) -> None:
    """While it is carried, others are computed without it only as the parts of a failed batch."""
    house = House(jobs, most, most)
    house.broken = broken_of(jobs, data)
    while house.turn():
        current = house.jobs[house.carried[-1]]
        runs, house.runs = house.runs, []
        shared = [work for work in runs if work.role is not Role.DETECTOR]
        without = [w for w in shared if not set(np.ravel(w.inputs).tolist()) & current.pictures]
        if not house.broken:
            assert not without
        if not current.pictures & house.broken:
            seen = Counter(n for work in shared for n in set(np.ravel(work.inputs).tolist()))
            # Together, without the others, and picture by picture where even that was too much.
            assert all(seen[number] <= 2 for work in current.works for number in fits(work, most))


def fits(work: Work, most: int) -> list[int]:
    return [] if len(work.inputs) > most else np.ravel(work.inputs).tolist()


@given(some_jobs(), st.lists(st.integers(0, 9), min_size=8, max_size=8), st.integers(1, 6))
def test_nobodys_first_photo_waits_for_more_than_one_of_each_other_owner(
    jobs: list[Job], arrivals: list[int], most: int
) -> None:
    """Photos come while others are carried; those that ended prefetched waited for less."""
    house = House([], most, most)
    later = sorted(zip(arrivals, jobs, strict=False), key=lambda pair: pair[0])
    in_course: dict[str, int] = {}

    def comes(one: Job) -> None:
        house.add(one)
        in_course.setdefault(one.owner, max(0, len(house.carried) - 1))

    def while_it_runs(work: Work) -> None:
        while later and later[0][0] <= len(house.runs):
            comes(later.pop(0)[1])

    house.before_each = while_it_runs
    while later:
        comes(later.pop(0)[1])
        house.work()
    for owner, arrival in in_course.items():
        first = next(name for name in house.begun if name[0] == owner)
        if first in house.carried:
            before = [name[0] for name in house.carried[arrival : house.carried.index(first)]]
            assert len(before) == len(set(before))
    assert {one.last for one in jobs} == {"done"}, "nobody starves"


@given(some_jobs(), st.integers(1, 6), st.data())
def test_the_seconds_of_all_photos_are_those_that_the_device_worked(
    jobs: list[Job], most: int, data: st.DataObject
) -> None:
    """Each run takes a second for each picture; nothing else takes time here."""
    now = 0.0
    house = House(jobs, most, most)
    house.broken = broken_of(jobs, data)

    def taking_time(work: Work) -> None:
        nonlocal now
        now += len(work.inputs)

    house.before_each = taking_time
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "photoenhance_ui.engine.batching.time", SimpleNamespace(monotonic=lambda: now)
        )
        house.work()
    assert sum(one.seconds for one in jobs) == pytest.approx(now)
    if not house.broken:
        for one in jobs:
            assert one.seconds == pytest.approx(sum(len(work.inputs) for work in one.works))


# By hand


def test_gaps_are_filled_with_the_same_kind_in_the_order_of_turns() -> None:
    jobs = [
        job("a", "a", tiles([1, 2])),
        job("b", "b", tiles([3], width=2)),
        job("c", "c", tiles([4, 5, 6])),
        job("d", "d", tiles([7]), tiles([8, 9])),
    ]
    house = House(jobs, tiles=4)
    house.work()
    assert [np.ravel(w.inputs[:, 0]).tolist() for w in house.runs] == [
        [1, 2, 7], [3], [4, 5, 6], [8, 9],
    ]  # fmt: skip
    assert house.carried == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "other",
    [
        replace(tiles([2]), network="other"),
        replace(tiles([2]), denoise=0.4),
        replace(tiles([2]), role=Role.RESTORER),
        tiles([2], width=2),
        replace(tiles([2]), inputs=np.array([[2]], np.uint16)),
        tiles([2, 3, 4, 5]),
    ],
)
def test_other_kinds_and_too_many_are_not_taken_along(other: Work) -> None:
    current, same = pending("current", tiles([1])), pending("same", tiles([9]))
    other_photo = pending("other", other)
    assert batch_of(current, [other_photo, same], 4) == [current, same]
    same.pending = PendingWork(tiles([9]), "fast")
    assert batch_of(current, [same], 4) == [current]


def test_memory_that_runs_out_over_several_is_remembered() -> None:
    house = House([job("a", "a", tiles([1, 2, 3])), job("b", "b", tiles([4]), tiles([5, 6]))], 4)
    house.room = 1
    house.work()
    assert [len(work.inputs) for work in house.runs] == [4, 1, 1, 1, 1, 1, 1]
    assert {one.last for one in house.jobs.values()} == {"done"}
    assert all(one.has_its_own() for one in house.jobs.values())
    assert house.batch_sizes.max_pictures(tiles([1])) == 1
    assert house.batch_sizes.max_pictures(tiles([1], network="other")) == 4


def test_an_answer_shares_no_memory_with_anothers() -> None:
    house = House([job("a", "a", tiles([1])), job("b", "b", tiles([2]))], 2)
    house.work()
    assert [len(work.inputs) for work in house.runs] == [2]
    mine, others = (one.answers[0] for one in house.jobs.values())
    assert mine.base is None
    assert not np.shares_memory(mine, others)


def test_a_prefetched_photo_that_is_cancelled_ends_before_the_next_batch() -> None:
    other = job("b", "b", tiles([3, 4]), tiles([5]))
    current = job("a", "a", tiles([1]), tiles([2]))
    house = House([current, other], 2)

    def cancelling(work: Work) -> None:
        other.cancelled = True

    house.before_each = cancelling
    house.work()
    assert other.told == ["began", "cancelled"]
    assert current.last == "done"
    assert [np.ravel(work.inputs).tolist() for work in house.runs] == [[1], [2]]
    assert house.carried == ["a"]


def test_a_first_photo_that_was_not_begun_goes_ahead_of_those_that_were() -> None:
    jobs = [job("a", f"a{n}", tiles([n]), tiles([10 + n], width=2)) for n in range(6)]
    house = House(jobs, 4)
    house.turn()
    assert len(house.begun) == 1 + MAX_PREFETCHED
    house.add(job("b", "b0", tiles([90], width=3)))
    house.work()
    assert house.carried[:2] == ["a0", "b0"]


def test_a_first_photo_that_was_begun_goes_ahead_of_others_that_were() -> None:
    house = House([job("a", f"a{n}", tiles([n], width=n + 1)) for n in range(3)], 4)
    first = job("b", "b0", tiles([90], width=9), tiles([91]))

    def somebody_comes(work: Work) -> None:
        if "b0" not in house.jobs:
            house.add(first)

    house.jobs["a0"].works.append(tiles([7]))
    house.before_each = somebody_comes
    house.work()
    assert house.begun.index("b0") == 3
    assert house.carried[:2] == ["a0", "b0"]


def test_a_photo_goes_on_to_its_next_work_or_to_its_end() -> None:
    photo = pending("1", tiles([1]))
    photo.go_on(Answer())
    assert photo.pending is not None
    photo.go_on(Answer(error=NetworkFailed("No.")))
    assert photo.pending is None
    assert photo.last == "NetworkFailed"


def test_a_photo_has_left_the_queue_when_its_last_event_is_told() -> None:
    working: list[int] = []

    class Looking(Job):
        def hear(self, told: str, seconds: float) -> None:
            super().hear(told, seconds)
            working.append(house.queue.length().working)

    one = Looking("a", "a0", [tiles([1])])
    house = House([one], 1)
    house.work()
    assert one.told == ["began", "step", "done"]
    assert working == [1, 1, 0]


def test_a_first_photo_waits_behind_the_current_one_and_those_that_were_begun_before() -> None:
    house = House([job("a", "a0", tiles([1])), job("a", "a1", tiles([2]))], 1)
    current = house.queue.next(wait=False)
    assert current is not None and current.id == "a0"
    house.queue.prefetch()
    house.add(job("c", "c0", tiles([3])))
    house.queue.prefetch()
    behind = [house.queue.first_waits(name) for name in ("a0", "a1", "c0")]
    assert behind == [True, True, False]
