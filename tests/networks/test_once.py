"""Values made once: by who asks first, without holding up who asks for another."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from photoenhance_ui.networks.once import Once

SOON_S = 30


def test_a_value_is_made_by_the_first_who_asks() -> None:
    once: Once[str, int] = Once()
    assert [once.get("a", lambda: 1), once.get("a", lambda: 2), once.get("b", lambda: 3)] == [
        1, 1, 3,
    ]  # fmt: skip
    assert "a" in once and "c" not in once
    assert once.values() == [1, 3]


def test_nothing_may_be_the_value() -> None:
    once: Once[str, None] = Once()
    made: list[int] = []
    for _ in range(2):
        once.get("a", lambda: made.append(1))
    assert made == [1]
    assert "a" in once


def test_many_who_ask_at_once_get_the_one_that_is_made() -> None:
    once: Once[str, object] = Once()
    together, made = threading.Barrier(8), []

    def make() -> object:
        made.append(object())
        return made[-1]

    def ask(_: int) -> object:
        together.wait(timeout=SOON_S)
        return once.get("a", make)

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(ask, range(8)))
    assert len(made) == 1
    assert all(value is made[0] for value in given)


def test_who_asks_for_another_value_does_not_wait() -> None:
    once: Once[str, str] = Once()
    begun, goes_on = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert goes_on.wait(SOON_S)
        return "slow"

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(once.get, "slow", slow)
        assert begun.wait(SOON_S)
        assert once.get("quick", lambda: "quick") == "quick"
        assert "slow" not in once
        goes_on.set()
        assert waiting.result(SOON_S) == "slow"


def test_what_fails_is_raised_and_tried_again_by_the_next_who_asks() -> None:
    once: Once[str, int] = Once()

    def fails() -> int:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        once.get("a", fails)
    assert "a" not in once
    assert once.get("a", lambda: 5) == 5


def test_another_value_can_be_put_in_the_place_of_one() -> None:
    once: Once[str, int] = Once()
    once.get("a", lambda: 1)
    once.put("a", 2)
    assert once.get("a", lambda: 3) == 2


def test_what_is_dropped_is_made_anew() -> None:
    once: Once[str, int] = Once()
    for key in ("a", "ab", "b"):
        once.get(key, lambda: 1)
    once.drop(lambda key: key.startswith("a"))
    assert [key in once for key in ("a", "ab", "b")] == [False, False, True]
    assert once.get("a", lambda: 2) == 2
