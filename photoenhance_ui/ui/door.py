"""The checks before Gradio, put together as the settings want them."""

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gradio.routes import App
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.settings import Settings
from photoenhance_ui.traces import trace_of
from photoenhance_ui.ui.bodies import most_bytes_of_call
from photoenhance_ui.ui.gate import (
    LoginFirst,
    OwnNamesOnly,
    OwnPagesOnly,
    SafeAnswers,
    WhatIsUsedOnly,
    address_of,
    cookies_of,
    path_of,
)
from photoenhance_ui.ui.hosts import Address, Hosts, is_loopback
from photoenhance_ui.ui.logins import ADDRESS, FREE_TRIES, Logins, logins_of
from photoenhance_ui.ui.sessions import OwnSessionsOnly

log = logging.getLogger(__name__)

LOGIN_MESSAGE = (
    "Log in to PhotoEnhance. "
    f"After {FREE_TRIES} wrong passwords, each further try has to wait for a while."
)
BEARER = "bearer"
SPACES_PROXIES = "10.0.0.0/8"
"""Whence Hugging Face's proxies reach a Space; nobody else can."""


@dataclass(frozen=True)
class Door:
    """What a request passes before it reaches Gradio."""

    hosts: Hosts
    logins: Logins | None
    most_bytes: int
    """Of a call."""
    embedded: bool
    """Whether Hugging Face shows the server in a frame of its own page."""

    @classmethod
    def of(cls, settings: Settings) -> "Door":
        """As the settings, or the variables of a Space, want it. Raises InvalidSetting."""
        is_space = in_space()
        hosts = Hosts(is_local(settings), origins=settings.allowed_origins)
        space = os.environ.get("SPACE_HOST") if is_space else None
        hosts.named += map(_named, (*settings.allowed_hosts, *((space,) if space else ())))
        for origin in settings.allowed_origins:
            if Address.of_origin(origin) is None:
                raise InvalidSetting("--allowed-origins needs origins like https://example.org.")
        if "://" in settings.root_path:
            scheme, _, rest = settings.root_path.partition("://")
            hosts.add_url(f"{scheme}://{rest.partition('/')[0]}")
        users = Path(settings.users).expanduser() if settings.users else None
        logins = logins_of(settings.auth, users)
        return cls(hosts, logins, most_bytes_of_call(settings), is_space)

    @asynccontextmanager
    async def around(self, app: App) -> AsyncIterator[None]:
        """Stand before everything of the app, Gradio's own checks too, before it first answers."""
        inner = app.middleware_stack
        assert inner is not None, "the app is starting, which made it"
        app.middleware_stack = self.before(inner, app)
        yield

    def before(self, inner: ASGIApp, app: App) -> ASGIApp:
        """The checks, in the order in which a request meets them from the outside in."""
        guarded: ASGIApp = WhatIsUsedOnly(
            OwnSessionsOnly(inner, self.most_bytes, embedded=self.embedded)
        )
        if self.logins is not None:
            guarded = _ending_one_login(guarded, app)
            guarded = LoginFirst(guarded, lambda cookies: _person_of(app, cookies))
            guarded = _KeysAsLogins(guarded, app, self.logins)
        guarded = OwnPagesOnly(guarded, self.hosts, embedded=self.embedded)
        guarded = OwnNamesOnly(guarded, self.hosts)
        return SafeAnswers(_told_whence(_never_raising(guarded)), self.embedded)


def _named(host: str) -> Address:
    address = Address.of(host)
    if address is None:
        raise InvalidSetting("--allowed-hosts needs names like photos.example.org.")
    return address


def in_space() -> bool:
    """Whether this is a Space of Hugging Face, which says so by a variable."""
    return bool(os.environ.get("SPACE_ID"))


def trusted_proxies(settings: Settings) -> str:
    """Whose word on a client's address counts, as uvicorn wants it: with commas between them."""
    return ",".join((*settings.trusted_proxies, *((SPACES_PROXIES,) if in_space() else ())))


def is_local(settings: Settings) -> bool:
    """Whether only programs on this machine reach the server, a proxy on it among them."""
    return is_loopback(settings.host.lower()) and not settings.share


class _KeysAsLogins:
    """Lets a script's key count as its person's login."""

    def __init__(self, app: ASGIApp, gradio: App, logins: Logins) -> None:
        self._app, self._gradio, self._logins = app, gradio, logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "lifespan":
            given = Headers(scope=scope).get("authorization", "")
            scheme, _, key = given.partition(" ")
            key = key.strip()
            name = self._logins.name_of_key(key) if scheme.lower() == BEARER else None
            if name is not None:
                self._gradio.tokens[key] = name
                scope = _with_cookie(scope, f"{_cookie_names(self._gradio)[0]}={key}")
        await self._app(scope, receive, send)


def _person_of(app: App, cookies: Mapping[str, str]) -> str | None:
    tokens = (cookies.get(name, "") for name in _cookie_names(app))
    return next((app.tokens[token] for token in tokens if token in app.tokens), None)


def _ending_one_login(inner: ASGIApp, app: App) -> ASGIApp:
    """The app, where who logs out ends the login of this browser, and of no other."""

    async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and path_of(scope).rstrip("/") == "/logout":
            scope = {**scope, "query_string": b"all_session=false"}
            await inner(scope, receive, send)
            cookies = cookies_of(scope)
            for name in _cookie_names(app):
                app.tokens.pop(cookies.get(name, ""), None)
        else:
            await inner(scope, receive, send)

    return passed_on


def _cookie_names(app: App) -> tuple[str, str]:
    """Gradio's, for https and for http."""
    return f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}"


def _with_cookie(scope: Scope, cookie: str) -> Scope:
    others = [value for name, value in scope["headers"] if name == b"cookie"]
    kept = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
    together = b"; ".join((cookie.encode(), *others))
    return {**scope, "headers": [*kept, (b"cookie", together)]}


def _never_raising(app: ASGIApp) -> ASGIApp:
    """The application; of what nobody foresaw, and was answered, the log tells where it arose."""

    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - its words are somebody's, and are not logged
            log.error("request_failed %s", trace_of(error))

    return quiet


async def unforeseen(_request: Request, _error: Exception) -> Response:
    """What is answered where nobody foresaw what happened."""
    return JSONResponse({"detail": "Something went wrong here; the server's log tells where."}, 500)


def _told_whence(app: ASGIApp) -> ASGIApp:
    """The application, which finds the client's address in ``ADDRESS``."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        ADDRESS.set(address_of(scope))
        await app(scope, receive, send)

    return told
