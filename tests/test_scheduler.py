"""Taking turns: by work between owners, the shortest first within one, a first photo once ahead."""

from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.scheduler import Scheduler

Job = tuple[str, str, float]
"""Owner, name, operations."""
jobs_of_some = st.lists(st.tuples(st.sampled_from("abcd"), st.floats(1, 1000)), max_size=40).map(
    lambda pairs: [(owner, f"{owner}{index}", size) for index, (owner, size) in enumerate(pairs)]
)


def filled(jobs: list[Job]) -> Scheduler:
    scheduler = Scheduler()
    for owner, name, size in jobs:
        scheduler.add(owner, name, size)
    return scheduler


def drained(scheduler: Scheduler) -> list[str]:
    order = []
    while (job := scheduler.next()) is not None:
        order.append(job)
    return order


@given(jobs_of_some)
def test_every_job_runs_exactly_once(jobs: list[Job]) -> None:
    scheduler = filled(jobs)
    assert len(scheduler) == len(jobs)
    assert sorted(drained(scheduler)) == sorted(name for _, name, _ in jobs)
    assert len(scheduler) == 0


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
    scheduler = filled(
        [("large", f"large{n}", 100.0) for n in range(4)]
        + [("small", f"small{n}", 10.0) for n in range(12)]
    )
    order = drained(scheduler)
    assert order.index("small9") < order.index("large2")


def test_an_owner_who_comes_late_does_not_wait_for_the_whole_batch_of_another() -> None:
    scheduler = filled([("early", f"early{index}", 5.0) for index in range(5)])
    assert scheduler.next() == "early0"
    scheduler.add("late", "late0", 500.0)
    assert [scheduler.next() for _ in range(3)] == ["late0", "early1", "early2"]


def test_the_first_photo_is_ahead_once_and_not_each_time_the_line_is_empty() -> None:
    scheduler = filled([("steady", f"steady{index}", 1.0) for index in range(4)])
    scheduler.add("drip", "drip0", 1.0)
    assert [scheduler.next(), scheduler.next()] == ["steady0", "drip0"]
    scheduler.add("drip", "drip1", 1.0)
    assert scheduler.next() == "steady1"


def test_after_a_pause_everybody_may_be_ahead_again() -> None:
    scheduler = filled([("a", "a0", 1.0)])
    assert drained(scheduler) == ["a0"]
    scheduler.rest()
    for owner, name in (("b", "b0"), ("b", "b1"), ("a", "a1")):
        scheduler.add(owner, name, 1.0)
    assert drained(scheduler) == ["b0", "a1", "b1"]


def test_who_is_being_worked_for_has_no_other_first_photo() -> None:
    """The line was empty for a moment, but the machine was not."""
    scheduler = filled([("a", "a0", 1.0)])
    assert scheduler.next() == "a0"
    for owner, name in (("a", "a1"), ("b", "b0"), ("c", "c0")):
        scheduler.add(owner, name, 1.0)
    assert drained(scheduler) == ["b0", "c0", "a1"]


def test_a_removed_job_never_runs_and_can_be_removed_once() -> None:
    scheduler = filled([("a", "a0", 1.0), ("a", "a1", 2.0)])
    assert scheduler.remove("a", "a0")
    assert not scheduler.remove("a", "a0")
    assert not scheduler.remove("b", "b0")
    assert drained(scheduler) == ["a1"]


@given(jobs_of_some, st.data())
def test_removing_leaves_the_order_of_the_others_within_each_owner(
    jobs: list[Job], data: st.DataObject
) -> None:
    scheduler = filled(jobs)
    gone = {job for job in jobs if data.draw(st.booleans())}
    for owner, name, _ in gone:
        assert scheduler.remove(owner, name)
    kept = [job for job in jobs if job not in gone]
    assert len(scheduler) == len(kept)
    for owner in {owner for owner, _, _ in kept}:
        expected = [n for n in drained(filled(kept)) if n[0] == owner]
        assert [n for n in drained(filled(kept)) if n[0] == owner] == expected
    assert sorted(drained(scheduler)) == sorted(name for _, name, _ in kept)


def test_a_first_photo_waits_until_its_owner_had_a_turn() -> None:
    scheduler = filled([("a", "a0", 1.0), ("a", "a1", 1.0)])
    assert scheduler.first_waits()
    assert scheduler.next() == "a0"
    assert not scheduler.first_waits()
    scheduler.add("b", "b0", 1.0)
    assert scheduler.first_waits()
    assert scheduler.next() == "b0"
    assert not scheduler.first_waits()
