"""Whose photo it is."""

import stat
from pathlib import Path

import pytest

from photoenhance_ui.server.owners import SECRET_FILE, Owners


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    return Owners.with_secret_in(tmp_path / "state")


def test_a_browser_is_known_after_a_restart(tmp_path: Path) -> None:
    token = Owners.with_secret_in(tmp_path).new_token()
    assert Owners.with_secret_in(tmp_path).knows(token)


def test_another_server_does_not_know_the_browser(tmp_path: Path) -> None:
    token = Owners.with_secret_in(tmp_path / "one").new_token()
    assert not Owners.with_secret_in(tmp_path / "two").knows(token)


@pytest.mark.parametrize(
    "token", [None, 7, "", ".", "me", "me.", "me.0", "ä.ö", "a.\ud800", ["me"], {}]
)
def test_what_we_did_not_sign_is_nobody(owners: Owners, token: object) -> None:
    assert not owners.knows(token)
    first, again = owners.owner(None, token), owners.owner(None, token)
    assert first.startswith("stranger:")
    assert again != first, "each time a new one: two of them never meet"


def test_a_changed_token_is_nobody(owners: Owners) -> None:
    identity, _, signature = owners.new_token().partition(".")
    assert not owners.knows(f"{identity}x.{signature}")
    assert not owners.knows(f"{identity}.{signature[:-1]}")


def test_the_person_comes_first_then_the_browser(owners: Owners) -> None:
    token = owners.new_token()
    assert owners.owner("ann", token) == "user:ann"
    assert owners.owner(None, token) == f"browser:{token.partition('.')[0]}"


def test_tokens_are_all_different(owners: Owners) -> None:
    assert len({owners.new_token() for _ in range(100)}) == 100


def test_the_secret_is_for_our_eyes_and_in_no_token(tmp_path: Path) -> None:
    owners = Owners.with_secret_in(tmp_path)
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600
    assert owners.secret.hex() not in owners.new_token() + owners.storage_secret + repr(owners)


def test_a_damaged_secret_is_replaced(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"short")
    owners = Owners.with_secret_in(tmp_path)
    assert len(owners.secret) == 32
    assert Owners.with_secret_in(tmp_path) == owners
