"""Who may speak to the server: what stands before Gradio, and sees every request first.

Gradio's own check of origins looks at the Host header to decide whether it runs at all, and lets
every origin in for every host but three. So it never gets to see an origin: pages of others are
refused here, and what is left is the server's own page, and scripts, which send no origin.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photoenhance_ui.ui.hosts import Address, Hosts

HOST_REFUSED = (
    "This server does not go by that name. Call it by its address, or have it started with "
    "--allowed-hosts."
)
ORIGIN_REFUSED = (
    "A page of another site may not use this server, unless it was started with --allowed-origins."
)
PERSON = "photoenhance.person"
"""The field of a request's scope that tells who has logged in."""
LOGIN_WANTED = "Log in first."

FRAMES_OF_SPACES = ("https://huggingface.co", "https://*.hf.space")
POLICY = (
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "worker-src 'self' blob:",
    "connect-src 'self' data: blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
)
"""What the page may load: its own. Gradio writes scripts and styles into its page."""
POLICY_OF_FILES = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A photo that is opened by itself runs nothing, whatever it holds."""
FILES = "/gradio_api/file"
SHOWN_AS_FILES = ("image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff",
                  "image/webp")  # fmt: skip
"""What a browser may show by itself; everything else is saved, so that it runs nothing here."""
ADDRESS_REFUSED = "This server fetches nothing from elsewhere."
RANGE = re.compile(r"bytes=[0-9]{1,15}-[0-9]{0,15}")
MAX_PATH = 3000
NOTHING_HERE = "There is nothing here."
ROOMS = frozenset({
    "", "assets", "config", "favicon.ico", "gradio_api", "login", "logout", "manifest.json",
    "robots.txt", "static", "svelte", "theme.css",
})  # fmt: skip
API_ROOMS = frozenset({
    "api", "app_id", "call", "cancel", "file", "heartbeat", "info", "login_check", "openapi.json",
    "queue", "reset", "run", "startup-events", "theme.css", "upload", "upload_progress", "user",
})  # fmt: skip
"""What the page and scripts use, by the first words of paths. Gradio has more: links to a session,
live streams, components that are sent from outside, an editor of the page."""

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
"""What the login page is made of; everything else waits for a login."""


class OwnNamesOnly:
    """Answers what was sent to one of the server's own names; 400 for the rest."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "lifespan" and not self._is_own(scope):
            await refuse(scope, receive, send, 400, HOST_REFUSED)
            return
        await self._app(self._told_of_own(scope), receive, send)

    def _is_own(self, scope: Scope) -> bool:
        host = host_of(scope)
        return host is not None and self._hosts.are_own(host, port_of(scope))

    def _told_of_own(self, scope: Scope) -> Scope:
        """The request, without what would have Gradio call the server by somebody else's name."""
        told = Headers(scope=scope).getlist("x-forwarded-host")
        names = [Address.of(name) for value in told for name in value.split(",")]
        if not all(name and self._hosts.are_own(name, port_of(scope)) for name in names):
            scope = _without(scope, b"x-forwarded-host")
        return _without(scope, b"x-gradio-server")


class OwnPagesOnly:
    """Answers the server's own page, scripts, and pages that were named; 403 for the rest.

    Browsers send the origin of a page with whatever changes something, and say of everything else
    whether another site asks for it (Fetch Metadata, a W3C draft). To follow a link to the server
    is allowed from everywhere; to show it in a frame where ``embedded``.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, *, embedded: bool) -> None:
        self._app, self._hosts, self._embedded = app, hosts, embedded
        self._cors = CORSMiddleware(
            _without_origin(app),
            allow_origins=hosts.origins,
            allow_methods=("*",),
            allow_headers=("*",),
            allow_credentials=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not self._may_speak(scope):
            await refuse(scope, receive, send, 403, ORIGIN_REFUSED)
        elif Headers(scope=scope).get("origin") in self._hosts.origins:
            await self._cors(scope, receive, send)
        else:
            await _without_origin(self._app)(scope, receive, send)

    def _may_speak(self, scope: Scope) -> bool:
        headers, host = Headers(scope=scope), host_of(scope)
        origin = headers.get("origin")
        if origin is not None:
            return host is not None and self._hosts.may_speak(origin, host, port_of(scope))
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return True
        if path_of(scope).rstrip("/") == "/logout":
            return False  # it changes something, though it is a link
        frames = ("document", "iframe", "frame") if self._embedded else ("document",)
        is_link = headers.get("sec-fetch-mode") == "navigate"
        return is_link and scope.get("method") == "GET" and headers.get("sec-fetch-dest") in frames


class WhatIsUsedOnly:
    """Passes on what the page and scripts use of Gradio; 404 for the rest.

    A path that would have the server fetch an address gets 403.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        room, _, rest = path_of(scope).removeprefix("/").partition("/")
        kind, _, what = re.split("([=/])", f"{rest}/", maxsplit=1)
        is_open = room in ROOMS and (bool(room) or not rest) and len(rest) <= MAX_PATH
        if not room and b"page=" in scope.get("query_string", b""):
            is_open = False  # there is one page
        if not is_open or (room == "gradio_api" and kind not in API_ROOMS):
            await refuse(scope, receive, send, 404, NOTHING_HERE)
        elif kind == "file" and what.lstrip().lower().startswith(("http:", "https:")):
            await refuse(scope, receive, send, 403, ADDRESS_REFUSED)
        else:
            await self._app(_with_plain_range(scope), receive, send)


class LoginFirst:
    """Answers who has logged in; others get what the login page is made of, and 401."""

    def __init__(self, app: ASGIApp, person_of: Callable[[Mapping[str, str]], str | None]) -> None:
        """``person_of`` tells from a request's cookies who has logged in."""
        self._app, self._person_of = app, person_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        path, person = path_of(scope), self._person_of(cookies_of(scope))
        if person is not None or path in OPEN_PATHS or path.startswith(OPEN_FOLDERS):
            await self._app({**scope, PERSON: person or ""}, receive, send)
        else:
            await refuse(scope, receive, send, 401, LOGIN_WANTED)


@dataclass(frozen=True)
class SafeAnswers:
    """Says with each answer what a browser may do with it."""

    app: ASGIApp
    embedded: bool
    """Whether pages of Hugging Face show the server in a frame, and its cookies go along."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                self._tell(headers, path_of(scope), scope.get("scheme") == "https")
            await send(message)

        await self.app(scope, receive, told)

    def _tell(self, headers: MutableHeaders, path: str, is_https: bool) -> None:
        frames = " ".join(("'self'", *(FRAMES_OF_SPACES if self.embedded else ())))
        policy = "; ".join(POLICY)
        if path.startswith(FILES):
            policy = POLICY_OF_FILES
            told = headers.get("content-disposition", "")
            shown = headers.get("content-type", "").partition(";")[0] in SHOWN_AS_FILES
            if told.startswith("inline") and not shown:
                headers["Content-Disposition"] = f"attachment{told.removeprefix('inline')}"
        headers["Content-Security-Policy"] = f"{policy}; frame-ancestors {frames}"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        if not self.embedded:
            headers["X-Frame-Options"] = "SAMEORIGIN"
            cookies = headers.getlist("set-cookie")
            del headers["set-cookie"]
            for cookie in cookies:
                sent = cookie.replace("SameSite=none", "SameSite=lax")
                is_open = is_https and "; secure" not in sent.lower()
                headers.append("set-cookie", f"{sent}; Secure" if is_open else sent)


def host_of(scope: Scope) -> Address | None:
    """What the request calls the server; None where it names nothing, or several hosts."""
    named = Headers(scope=scope).getlist("host")
    return Address.of(named[0]) if len(named) == 1 else None


def port_of(scope: Scope) -> int:
    """The port at which the request came in."""
    server = scope.get("server")
    return int(server[1] or 0) if server else 0


def path_of(scope: Scope) -> str:
    """The path of a request below the folder at which a proxy offers the server."""
    path, root = str(scope.get("path", "")), str(scope.get("root_path", "")).rstrip("/")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def address_of(scope: Scope) -> str:
    """The sender's address, as the server or a proxy that was named knows it; "": unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def cookies_of(scope: Scope) -> dict[str, str]:
    """The request's cookies by name."""
    return HTTPConnection(scope).cookies


def _without_origin(app: ASGIApp) -> ASGIApp:
    """The application, never told of an origin: that was looked at."""

    async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
        await app(_without(scope, b"origin"), receive, send)

    return passed_on


def _with_plain_range(scope: Scope) -> Scope:
    """The request, which asks for the whole where Gradio could not read which part is asked for."""
    ranges = Headers(scope=scope).getlist("range")
    return scope if all(map(RANGE.fullmatch, ranges)) else _without(scope, b"range")


def _without(scope: Scope, name: bytes) -> Scope:
    return {**scope, "headers": [(n, value) for n, value in scope["headers"] if n != name]}


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    """Answer with a status and a sentence as JSON; a WebSocket is closed with it."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": sentence})
        return
    await JSONResponse({"detail": sentence}, status)(scope, receive, send)
