"""The file of people who may log in."""

from pathlib import Path

import pytest

from photoenhance_ui.cli import main
from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.server.users import (
    hash_of_key,
    hash_of_password,
    is_key,
    is_password,
    read_users,
)


def test_a_password_is_known_by_its_hash_and_is_not_in_it() -> None:
    secret = hash_of_password("correct horse")
    assert is_password("correct horse", secret)
    assert not is_password("correct horsf", secret)
    assert "horse" not in secret
    assert hash_of_password("correct horse") != secret, "each has a salt of its own"


def test_the_command_writes_lines_that_the_file_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda: "correct horse")
    assert main(["users", "password", "ann"]) == 0
    assert main(["users", "key", "bob"]) == 0
    told = capsys.readouterr()
    key = next(word for word in told.err.split() if word.startswith("pe_"))
    (tmp_path / "users").write_text(f"# people\n\n{told.out}", "utf-8")
    (ann, password), (bob, kept) = read_users(tmp_path / "users")
    assert (ann, bob, kept) == ("ann", "bob", hash_of_key(key))
    assert is_password("correct horse", password)
    assert (is_key(kept), is_key(password)) == (True, False)
    assert key not in told.out


@pytest.mark.parametrize("words", [["key", "a:b"], ["key", " "], ["password", "ann"]])
def test_what_cannot_be_a_name_or_a_password_is_wrong_usage(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda: "short")
    with pytest.raises(SystemExit) as end:
        main(["users", *words])
    assert end.value.code == 2


@pytest.mark.parametrize("content", ["", "ann", "ann:secret", ":scrypt$00$00", "ann:scrypt$00$00"])
def test_a_file_that_is_none_is_told_with_its_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "users").write_text(content, "utf-8")
    with pytest.raises(InvalidSetting, match="--users: "):
        read_users(tmp_path / "users")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="cannot be read"):
        read_users(tmp_path / "nowhere")
