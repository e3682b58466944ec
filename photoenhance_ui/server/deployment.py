"""How the server is reached: on this machine alone, through proxies, or as a Space."""

import os

from photoenhance_ui.server.hosts import is_loopback
from photoenhance_ui.settings import Settings

SPACES_PROXIES = "10.0.0.0/8"
"""The network from which Hugging Face's proxies reach a Space; nobody else can."""


def in_space() -> bool:
    """Whether this is a Space of Hugging Face, which says so by a variable."""
    return bool(os.environ.get("SPACE_ID"))


def trusted_proxies(settings: Settings) -> str:
    """Whose word on a client's address counts, as uvicorn wants it: with commas between them."""
    return ",".join((*settings.trusted_proxies, *((SPACES_PROXIES,) if in_space() else ())))


def is_local(settings: Settings) -> bool:
    """Whether only programs on this machine reach the server, a proxy on it among them."""
    return is_loopback(settings.host.lower()) and not settings.share
