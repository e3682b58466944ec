"""Whose sessions are whose, without a server."""

import pytest
from starlette.types import Scope

from photoenhance_ui.server.sessions import (
    MAX_SESSIONS_OF_ADDRESS,
    TOGETHER_S,
    Greetings,
    Visitors,
)


def test_who_begins_many_sessions_pushes_out_their_own_alone() -> None:
    visitors = Visitors()
    assert visitors.is_own("victim", b"them", "10.0.0.1")
    assert visitors.is_own("first", b"me", "10.0.0.2")
    for number in range(MAX_SESSIONS_OF_ADDRESS):
        assert visitors.is_own(f"s{number}", b"me", "10.0.0.2")
    assert not visitors.is_own("victim", b"me", "10.0.0.2")
    assert visitors.is_own("first", b"another", "10.0.0.3"), "the oldest was forgotten"


def test_asking_for_anothers_session_does_not_make_it_ones_own() -> None:
    visitors = Visitors()
    assert visitors.is_own("s", b"them", "10.0.0.1")
    for _ in range(MAX_SESSIONS_OF_ADDRESS + 1):
        assert not visitors.is_own("s", b"me", "10.0.0.2")
    assert visitors.is_own("s", b"them", "10.0.0.9"), "from another network, by the same cookie"


def tab(address: str = "10.0.0.1", mode: str = "navigate") -> Scope:
    headers = [(b"sec-fetch-mode", mode.encode()), (b"user-agent", b"A browser")]
    return {"type": "http", "client": (address, 1), "headers": headers}


def test_tabs_that_open_together_are_one_visitor() -> None:
    now_s = [100.0]
    greetings = Greetings(lambda: now_s[0])
    first = greetings.name_for(tab())
    assert greetings.name_for(tab()) == first
    assert greetings.name_for(tab("10.0.0.2")) != first
    now_s[0] += TOGETHER_S
    assert greetings.name_for(tab()) != first


@pytest.mark.parametrize("mode", ["cors", ""])
def test_scripts_are_never_taken_for_one_another(mode: str) -> None:
    greetings = Greetings(lambda: 100.0)
    assert greetings.name_for(tab(mode=mode)) != greetings.name_for(tab(mode=mode))


def test_moving_through_networks_keeps_nothing_of_each() -> None:
    """A cookie that is shown from every address of a large network."""
    visitors = Visitors()
    for number in range(3):
        visitors.is_own(f"s{number}", b"me", f"2001:db8::{number + 1:x}")
    for number in range(MAX_SESSIONS_OF_ADDRESS):
        assert visitors.is_own("s2", b"me", f"10.0.{number // 250}.{number % 250}")
    for number in range(MAX_SESSIONS_OF_ADDRESS):
        visitors.is_own(f"more{number}", b"me", "2001:db8::ffff")
    assert visitors.is_own("s0", b"another", "10.0.0.1"), "one household's oldest was forgotten"
