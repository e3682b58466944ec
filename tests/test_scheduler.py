from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.scheduler import Scheduler

arrivals = st.lists(st.sampled_from("abcd"), max_size=40)


def drained(scheduler: Scheduler) -> list[str]:
    order = []
    while (job := scheduler.next()) is not None:
        order.append(job)
    return order


@given(arrivals)
def test_every_job_runs_exactly_once(owners: list[str]) -> None:
    scheduler = Scheduler()
    jobs = [f"{owner}{index}" for index, owner in enumerate(owners)]
    for job in jobs:
        scheduler.add(job[0], job)
    assert len(scheduler) == len(jobs)
    assert sorted(drained(scheduler)) == sorted(jobs)
    assert len(scheduler) == 0


@given(arrivals)
def test_nobodys_first_photo_waits_for_more_than_one_of_each_other_owner(owners: list[str]) -> None:
    scheduler = Scheduler()
    for index, owner in enumerate(owners):
        scheduler.add(owner, f"{owner}{index}")
    order = drained(scheduler)
    for owner in set(owners):
        before = [job[0] for job in order[: [job[0] for job in order].index(owner)]]
        assert len(before) == len(set(before))


@given(arrivals)
def test_within_an_owner_first_come_is_first_served(owners: list[str]) -> None:
    scheduler = Scheduler()
    for index, owner in enumerate(owners):
        scheduler.add(owner, f"{owner}{index:03}")
    order = drained(scheduler)
    for owner in set(owners):
        own = [job for job in order if job[0] == owner]
        assert own == sorted(own)


def test_an_owner_who_comes_late_does_not_wait_for_the_whole_batch_of_another() -> None:
    scheduler = Scheduler()
    for index in range(5):
        scheduler.add("early", f"early{index}")
    assert scheduler.next() == "early0"
    scheduler.add("late", "late0")
    assert [scheduler.next() for _ in range(3)] == ["early1", "late0", "early2"]


def test_a_removed_job_never_runs_and_can_be_removed_once() -> None:
    scheduler = Scheduler()
    scheduler.add("a", "a0")
    scheduler.add("a", "a1")
    assert scheduler.remove("a", "a0")
    assert not scheduler.remove("a", "a0")
    assert not scheduler.remove("b", "b0")
    assert drained(scheduler) == ["a1"]
