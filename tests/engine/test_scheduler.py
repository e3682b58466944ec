"""Taking turns: by work between owners, the shortest first within one, a first photo once ahead."""

from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.engine.scheduler import FairQueue, Scheduler

Job = tuple[str, str, float]
"""Owner, name, operations."""
jobs_of_some = st.lists(st.tuples(st.sampled_from("abcd"), st.floats(1, 1000)), max_size=40).map(
    lambda pairs: [(owner, f"{owner}{index}", size) for index, (owner, size) in enumerate(pairs)]
)


def filled(jobs: list[Job]) -> FairQueue:
    queue = FairQueue()
    for owner, name, size in jobs:
        queue.add(owner, name, size)
    return queue


def drained(queue: FairQueue) -> list[str]:
    order = []
    while (job := queue.next()) is not None:
        order.append(job)
    return order


@given(jobs_of_some)
def test_every_job_runs_exactly_once(jobs: list[Job]) -> None:
    queue = filled(jobs)
    assert len(queue) == len(jobs)
    assert sorted(drained(queue)) == sorted(name for _, name, _ in jobs)
    assert len(queue) == 0


@given(jobs_of_some)
def test_nobodys_first_photo_waits_for_more_than_one_of_each_other_owner(jobs: list[Job]) -> None:
    order = [name[0] for name in drained(filled(jobs))]
    for owner in {owner for owner, _, _ in jobs}:
        before = order[: order.index(owner)]
        assert len(before) == len(set(before))


@given(jobs_of_some)
def test_within_an_owner_the_shortest_is_first_and_of_equals_the_earliest(jobs: list[Job]) -> None:
    order = drained(filled(jobs))
    for owner in {owner for owner, _, _ in jobs}:
        own = [name for name in order if name[0] == owner]
        arrived = [(size, name) for one, name, size in jobs if one == owner]
        assert own == [name for _, name in sorted(arrived, key=lambda job: job[0])]


@given(jobs_of_some)
def test_while_two_wait_neither_gets_much_more_of_the_machine(jobs: list[Job]) -> None:
    """No more than two of the largest photos ahead (and the one that came first)."""
    sizes = {name: size for _, name, size in jobs}
    largest = max(sizes.values(), default=0.0)
    used = dict.fromkeys("abcd", 0.0)
    left = {owner: sum(one == owner for one, _, _ in jobs) for owner in used}
    present = {owner for owner in used if left[owner]}
    for name in drained(filled(jobs)):
        used[name[0]] += sizes[name]
        left[name[0]] -= 1
        if any(left[owner] == 0 for owner in present):
            return
        assert max(used[o] for o in present) - min(used[o] for o in present) <= 3 * largest


def test_small_photos_do_not_wait_for_as_many_large_ones() -> None:
    queue = filled(
        [("large", f"large{n}", 100.0) for n in range(4)]
        + [("small", f"small{n}", 10.0) for n in range(12)]
    )
    order = drained(queue)
    assert order.index("small9") < order.index("large2")


def test_an_owner_who_comes_late_does_not_wait_for_the_whole_batch_of_another() -> None:
    queue = filled([("early", f"early{index}", 5.0) for index in range(5)])
    assert queue.next() == "early0"
    queue.add("late", "late0", 500.0)
    assert [queue.next() for _ in range(3)] == ["late0", "early1", "early2"]


def test_the_first_photo_is_ahead_once_and_not_each_time_the_line_is_empty() -> None:
    queue = filled([("steady", f"steady{index}", 1.0) for index in range(4)])
    queue.add("drip", "drip0", 1.0)
    assert [queue.next(), queue.next()] == ["steady0", "drip0"]
    queue.add("drip", "drip1", 1.0)
    assert queue.next() == "steady1"


def test_after_a_pause_everybody_may_be_ahead_again() -> None:
    queue = filled([("a", "a0", 1.0)])
    assert drained(queue) == ["a0"]
    queue.rest()
    for owner, name in (("b", "b0"), ("b", "b1"), ("a", "a1")):
        queue.add(owner, name, 1.0)
    assert drained(queue) == ["b0", "a1", "b1"]


def test_who_is_being_worked_for_has_no_other_first_photo() -> None:
    """The line was empty for a moment, but the machine was not."""
    queue = filled([("a", "a0", 1.0)])
    assert queue.next() == "a0"
    for owner, name in (("a", "a1"), ("b", "b0"), ("c", "c0")):
        queue.add(owner, name, 1.0)
    assert drained(queue) == ["b0", "c0", "a1"]


def test_a_removed_job_never_runs_and_can_be_removed_once() -> None:
    queue = filled([("a", "a0", 1.0), ("a", "a1", 2.0)])
    assert queue.remove("a", "a0")
    assert not queue.remove("a", "a0")
    assert not queue.remove("b", "b0")
    assert drained(queue) == ["a1"]


@given(jobs_of_some, st.data())
def test_removing_leaves_the_order_of_the_others_within_each_owner(
    jobs: list[Job], data: st.DataObject
) -> None:
    queue = filled(jobs)
    gone = {job for job in jobs if data.draw(st.booleans())}
    for owner, name, _ in gone:
        assert queue.remove(owner, name)
    kept = [job for job in jobs if job not in gone]
    assert len(queue) == len(kept)
    for owner in {owner for owner, _, _ in kept}:
        expected = [n for n in drained(filled(kept)) if n[0] == owner]
        assert [n for n in drained(filled(kept)) if n[0] == owner] == expected
    assert sorted(drained(queue)) == sorted(name for _, name, _ in kept)


def test_a_first_photo_waits_until_its_owner_had_a_turn() -> None:
    queue = filled([("a", "a0", 1.0), ("a", "a1", 1.0)])
    assert queue.first_waits()
    assert queue.next() == "a0"
    assert not queue.first_waits()
    queue.add("b", "b0", 1.0)
    assert queue.first_waits()
    assert queue.next() == "b0"
    assert not queue.first_waits()


# With photos that are begun before their turn


def prefetching(*photos: str, first: str) -> Scheduler:
    """``first`` is current, and so many of the others as may are prefetched; owners by letter."""
    scheduler = Scheduler()
    for name in (first, *photos):
        scheduler.add(name[0], name, 1.0)
    assert scheduler.next() == first
    for name in photos:
        assert scheduler.prefetch() == name
    return scheduler


def test_prefetched_photos_are_next_in_the_order_in_which_they_were_begun() -> None:
    scheduler = prefetching("a1", "a2", first="a0")
    scheduler.add("a", "a3", 1.0)
    assert scheduler.prefetched == ["a1", "a2"]
    assert scheduler.waiting == 1
    assert [scheduler.next() for _ in range(4)] == ["a1", "a2", "a3", None]


def test_a_prefetched_first_photo_is_ahead_of_others_that_were_begun() -> None:
    scheduler = prefetching("b0", "c0", "a1", first="a0")
    assert [scheduler.next() for _ in range(3)] == ["b0", "c0", "a1"]
    scheduler = prefetching("a1", "a2", first="a0")
    scheduler.add("b", "b0", 9.0)
    assert scheduler.prefetch() == "b0"
    assert [scheduler.next() for _ in range(3)] == ["b0", "a1", "a2"]


def test_a_waiting_first_photo_is_ahead_of_others_that_were_begun() -> None:
    scheduler = prefetching("a1", first="a0")
    scheduler.add("b", "b0", 9.0)
    assert [scheduler.next() for _ in range(2)] == ["b0", "a1"]


def test_a_photo_that_ended_before_its_turn_has_none() -> None:
    scheduler = prefetching("a1", "a2", first="a0")
    scheduler.ended("a1")
    assert [scheduler.next() for _ in range(2)] == ["a2", None]
    scheduler.ended("a2")


def test_a_first_photo_waits_behind_the_current_one_and_those_that_were_begun_before() -> None:
    scheduler = prefetching("a1", first="a0")
    assert not scheduler.first_waits("a0")
    scheduler.add("b", "b0", 1.0)
    assert [scheduler.first_waits(name) for name in ("a0", "a1")] == [True, True]
    scheduler.prefetch()
    assert [scheduler.first_waits(name) for name in ("a0", "a1", "b0")] == [True, True, False]


def test_nobody_left_means_a_first_photo_for_each_again() -> None:
    scheduler = prefetching(first="a0")
    assert scheduler.next() is None
    for name in ("b0", "b1", "a1"):
        scheduler.add(name[0], name, 1.0)
    assert [scheduler.next() for _ in range(3)] == ["b0", "a1", "b1"]


def test_nobody_to_prefetch_is_no_rest() -> None:
    scheduler = prefetching(first="a0")
    assert scheduler.prefetch() is None
    for name in ("a1", "b0"):
        scheduler.add(name[0], name, 1.0)
    assert [scheduler.next() for _ in range(2)] == ["b0", "a1"]


@given(jobs_of_some, st.lists(st.integers(0, 3), max_size=40))
def test_however_many_are_prefetched_nobodys_first_waits_for_two_of_another(
    jobs: list[Job], prefetches: list[int]
) -> None:
    scheduler, order = Scheduler(), []
    for owner, name, size in jobs:
        scheduler.add(owner, name, size)
    more = iter(prefetches)
    while (name := scheduler.next()) is not None:
        order.append(name)
        for _ in range(next(more, 0)):
            scheduler.prefetch()
    assert sorted(order) == sorted(name for _, name, _ in jobs)
    for owner in {name[0] for name in order}:
        before = [name[0] for name in order[: [name[0] for name in order].index(owner)]]
        assert len(before) == len(set(before))
