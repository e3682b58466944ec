"""Which of Gradio's paths are open: those that the page and scripts use."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from photoenhance_ui.server.asgi import path_of, refuse, without_header

ADDRESS_REFUSED = "This server fetches nothing from elsewhere."
RANGE = re.compile(r"bytes=[0-9]{1,15}-[0-9]{0,15}")
MAX_PATH = 3000
NOTHING_HERE = "There is nothing here."
FOLDERS = frozenset({
    "", "assets", "config", "favicon.ico", "gradio_api", "login", "logout", "manifest.json",
    "robots.txt", "static", "svelte", "theme.css",
})  # fmt: skip
API_FOLDERS = frozenset({
    "api", "app_id", "call", "cancel", "file", "heartbeat", "info", "login_check", "openapi.json",
    "queue", "reset", "run", "startup-events", "theme.css", "upload", "upload_progress", "user",
})  # fmt: skip
"""What the page and scripts use, by the first words of paths. Gradio has more: links to a session,
live streams, components that are sent from outside, an editor of the page."""


class UsedPathsOnly:
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
        folder, _, rest = path_of(scope).removeprefix("/").partition("/")
        kind, _, what = re.split("([=/])", f"{rest}/", maxsplit=1)
        is_open = folder in FOLDERS and (bool(folder) or not rest) and len(rest) <= MAX_PATH
        if not folder and b"page=" in scope.get("query_string", b""):
            is_open = False  # there is one page
        if not is_open or (folder == "gradio_api" and kind not in API_FOLDERS):
            await refuse(scope, receive, send, 404, NOTHING_HERE)
        elif kind == "file" and what.lstrip().lower().startswith(("http:", "https:")):
            await refuse(scope, receive, send, 403, ADDRESS_REFUSED)
        else:
            await self._app(_with_plain_range(scope), receive, send)


def _with_plain_range(scope: Scope) -> Scope:
    """The request, which asks for the whole where Gradio could not read which part is asked for."""
    ranges = Headers(scope=scope).getlist("range")
    return scope if all(map(RANGE.fullmatch, ranges)) else without_header(scope, b"range")
