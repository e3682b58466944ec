"""docs/security.md names places and tests that are there."""

import re

import pytest

from photoenhance_ui.settings import PROJECT_DIR

TEXT = (PROJECT_DIR / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)`", TEXT)))


def test_it_names_many() -> None:
    assert len(NAMED) > 30


@pytest.mark.parametrize("name", NAMED)
def test_what_it_names_is_there(name: str) -> None:
    assert (PROJECT_DIR / name).is_file() or (PROJECT_DIR / "photoenhance_ui" / name).is_file()
