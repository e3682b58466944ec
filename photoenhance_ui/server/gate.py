"""Who may speak to the server: by which names it is called, and from which pages.

Gradio's own check of origins looks at the Host header to decide whether it runs at all, and lets
every origin in for every host but three. So it never gets to see an origin: pages of others are
refused here, and what is left is the server's own page, and scripts, which send no origin.
"""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from photoenhance_ui.server.asgi import host_of, path_of, port_of, refuse, without_header
from photoenhance_ui.server.hosts import Address, Hosts

HOST_REFUSED = (
    "This server does not go by that name. Call it by its address, or have it started with "
    "--allowed-hosts."
)
ORIGIN_REFUSED = (
    "A page of another site may not use this server, unless it was started with --allowed-origins."
)


class OwnNamesOnly:
    """Answers what was sent to one of the server's own names; 400 for the rest."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "lifespan" and not self._is_own(scope):
            await refuse(scope, receive, send, 400, HOST_REFUSED)
            return
        await self._app(self._under_own_names(scope), receive, send)

    def _is_own(self, scope: Scope) -> bool:
        host = host_of(scope)
        return host is not None and self._hosts.are_own(host, port_of(scope))

    def _under_own_names(self, scope: Scope) -> Scope:
        """The request, without what would have Gradio call the server by somebody else's name."""
        forwarded = Headers(scope=scope).getlist("x-forwarded-host")
        names = [Address.of(name) for value in forwarded for name in value.split(",")]
        if not all(name and self._hosts.are_own(name, port_of(scope)) for name in names):
            scope = without_header(scope, b"x-forwarded-host")
        return without_header(scope, b"x-gradio-server")


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


def _without_origin(app: ASGIApp) -> ASGIApp:
    """The application, which is never told of an origin: this was looked at already."""

    async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
        await app(without_header(scope, b"origin"), receive, send)

    return passed_on
