"""Nothing is answered before a login, where the server has logins: by a password or a key."""

from collections.abc import Mapping
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from photoenhance_ui.server.asgi import cookies_of, path_of, refuse, with_cookie
from photoenhance_ui.server.logins import Logins

PERSON = "photoenhance.person"
"""The field of a request's scope that tells who has logged in."""
LOGIN_WANTED = "Log in first."
BEARER = "bearer"

OPEN_PATHS = frozenset(
    f"{path}{slash}"
    for path in (
        "/login", "/logout", "/config", "/theme.css", "/favicon.ico", "/robots.txt",
        "/manifest.json", "/gradio_api/theme.css", "/gradio_api/login_check",
        "/gradio_api/startup-events",
    )
    for slash in ("", "/")
) | {"/"}  # fmt: skip
OPEN_FOLDERS = ("/assets/", "/static/", "/svelte/")
"""Paths that the login page is made of; all others need a login."""


class LoginStore(Protocol):
    """Where the framework of the page keeps who has logged in, by tokens in cookies."""

    def person_of(self, cookies: Mapping[str, str]) -> str | None:
        """Who has logged in with one of these cookies; None where nobody has."""

    def log_in(self, token: str, person: str) -> str:
        """Let the token count as this person's login; gives the cookie ``NAME=TOKEN``."""

    def log_out(self, cookies: Mapping[str, str]) -> None:
        """End the logins of these cookies."""


class LoginRequired:
    """Answers who has logged in; others get what the login page is made of, and 401."""

    def __init__(self, app: ASGIApp, store: LoginStore) -> None:
        self._app, self._store = app, store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        path, person = path_of(scope), self._store.person_of(cookies_of(scope))
        if person is not None or path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            await self._app({**scope, PERSON: person or ""}, receive, send)
        else:
            await refuse(scope, receive, send, 401, LOGIN_WANTED)


class KeysAsLogins:
    """Lets a script's key count as its person's login."""

    def __init__(self, app: ASGIApp, store: LoginStore, logins: Logins) -> None:
        self._app, self._store, self._logins = app, store, logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "lifespan":
            given = Headers(scope=scope).get("authorization", "")
            scheme, _, key = given.partition(" ")
            key = key.strip()
            name = self._logins.name_of_key(key) if scheme.lower() == BEARER else None
            if name is not None:
                scope = with_cookie(scope, self._store.log_in(key, name))
        await self._app(scope, receive, send)


class OwnLogoutOnly:
    """Has who logs out end the login of this browser, and of no other."""

    def __init__(self, app: ASGIApp, store: LoginStore) -> None:
        self._app, self._store = app, store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        is_logout = scope["type"] == "http" and path_of(scope).rstrip("/") == "/logout"
        if not is_logout:
            await self._app(scope, receive, send)
            return
        scope = {**scope, "query_string": b"all_session=false"}
        await self._app(scope, receive, send)
        self._store.log_out(cookies_of(scope))
