"""The checks that a request passes before it reaches Gradio, put together as the settings say."""

import os
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.server.asgi import address_of
from photoenhance_ui.server.bodies import max_bytes_of_call
from photoenhance_ui.server.deployment import in_space, is_local
from photoenhance_ui.server.failures import never_raising
from photoenhance_ui.server.gate import OwnNamesOnly, OwnPagesOnly
from photoenhance_ui.server.hosts import Address, Hosts
from photoenhance_ui.server.login_checks import (
    KeysAsLogins,
    LoginRequired,
    LoginStore,
    OwnLogoutOnly,
)
from photoenhance_ui.server.logins import ADDRESS, Logins, logins_of
from photoenhance_ui.server.security_headers import SecurityHeaders
from photoenhance_ui.server.sessions import OwnSessionsOnly
from photoenhance_ui.server.used_paths import UsedPathsOnly
from photoenhance_ui.settings import Settings


@dataclass(frozen=True)
class Guard:
    """What a request passes before it reaches Gradio."""

    hosts: Hosts
    logins: Logins | None
    max_call_bytes: int
    """How many bytes a call may hold."""
    embedded: bool
    """Whether Hugging Face shows the server in a frame of its own page."""

    @classmethod
    def of(cls, settings: Settings) -> "Guard":
        """The checks that the settings, or the variables of a Space, ask for.

        Raises InvalidSetting where a name, an origin or the file of people cannot be read.
        """
        users = Path(settings.users).expanduser() if settings.users else None
        hosts = _hosts_of(settings)
        logins = logins_of(settings.auth, users)
        return cls(hosts, logins, max_bytes_of_call(settings), in_space())

    def before(self, inner: ASGIApp, store: LoginStore) -> ASGIApp:
        """The app behind the checks, in the order in which a request meets them from outside."""
        guarded: ASGIApp = OwnSessionsOnly(inner, self.max_call_bytes, embedded=self.embedded)
        guarded = UsedPathsOnly(guarded)
        if self.logins is not None:
            guarded = OwnLogoutOnly(guarded, store)
            guarded = LoginRequired(guarded, store)
            guarded = KeysAsLogins(guarded, store, self.logins)
        guarded = OwnPagesOnly(guarded, self.hosts, embedded=self.embedded)
        guarded = OwnNamesOnly(guarded, self.hosts)
        return SecurityHeaders(_noting_address(never_raising(guarded)), self.embedded)


def _hosts_of(settings: Settings) -> Hosts:
    hosts = Hosts(is_local(settings), origins=settings.allowed_origins)
    space = os.environ.get("SPACE_HOST") if in_space() else None
    hosts.named += map(_named, (*settings.allowed_hosts, *((space,) if space else ())))
    for origin in settings.allowed_origins:
        if Address.of_origin(origin) is None:
            raise InvalidSetting("--allowed-origins needs origins like https://example.org.")
    if "://" in settings.root_path:
        scheme, _, rest = settings.root_path.partition("://")
        hosts.add_url(f"{scheme}://{rest.partition('/')[0]}")
    return hosts


def _named(host: str) -> Address:
    address = Address.of(host)
    if address is None:
        raise InvalidSetting("--allowed-hosts needs names like photos.example.org.")
    return address


def _noting_address(app: ASGIApp) -> ASGIApp:
    """The application, which finds the client's address in ``ADDRESS``."""

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        ADDRESS.set(address_of(scope))
        await app(scope, receive, send)

    return noting
