"""Which proxies are trusted, as the settings and the host want it."""

import pytest

from photoenhance_ui.server.deployment import trusted_proxies
from photoenhance_ui.settings import Settings


def test_proxies_are_trusted_where_they_were_named_and_in_a_space(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert trusted_proxies(Settings()) == ""
    assert trusted_proxies(Settings(trusted_proxies=("10.1.1.1", "::1"))) == "10.1.1.1,::1"
    monkeypatch.setenv("SPACE_ID", "somebody/photos")
    assert trusted_proxies(Settings(trusted_proxies=("1.2.3.4",))) == "1.2.3.4,10.0.0.0/8"
