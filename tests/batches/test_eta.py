"""What is left, by what the finished photos took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.batches.eta import Ahead, Spent, seconds_left
from photoenhance_ui.pipeline.plan import FACE_OPERATIONS

works = st.floats(1e9, 1e13)
spent = st.builds(Spent, works, st.integers(0, 5), st.floats(0.01, 1000))
ahead = st.builds(Ahead, works, st.none() | st.integers(0, 5), st.floats(0, 1))


def test_nothing_ahead_is_done_and_nothing_finished_is_not_known() -> None:
    assert seconds_left([], []) == 0
    assert seconds_left([Spent(1e12, 0, 5)], []) == 0
    assert seconds_left([], [Ahead(1e12)]) is None


def test_a_photo_of_twice_the_work_takes_twice_as_long() -> None:
    assert seconds_left([Spent(1e12, 0, 5)], [Ahead(2e12)]) == pytest.approx(10)
    assert seconds_left([Spent(1e12, 0, 5)], [Ahead(2e12), Ahead(1e12, share=0.5)]) == (
        pytest.approx(12.5)
    )


def test_faces_count_by_their_own_work() -> None:
    finished = [Spent(FACE_OPERATIONS, 1, 10)]
    assert seconds_left(finished, [Ahead(FACE_OPERATIONS, 3)]) == pytest.approx(20)
    assert seconds_left(finished, [Ahead(FACE_OPERATIONS, 0)]) == pytest.approx(5)
    assert seconds_left(finished, [Ahead(FACE_OPERATIONS)]) == pytest.approx(10)


@given(st.lists(spent, min_size=1, max_size=5), st.lists(ahead, max_size=5), ahead)
def test_more_ahead_never_takes_less(
    finished: list[Spent], photos: list[Ahead], one: Ahead
) -> None:
    before, after = seconds_left(finished, photos), seconds_left(finished, [*photos, one])
    assert before is not None
    assert after is not None
    assert 0 <= before <= after * (1 + 1e-9)
