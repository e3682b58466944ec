"""Uploads that break off leave nothing on the disk.

Gradio writes what arrives into passing files, and removes them where the upload is malformed, but
not where its sender goes away. So it is told of such an upload as of a malformed one.
"""

import asyncio
from email.message import Message as Header

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SILENCE_S = 120.0
"""A sender of whom nothing is heard for so long has gone away."""


class BrokenUploads:
    """An ASGI app that ends broken uploads for the one inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on; an upload that ends early ends as no upload can."""
        is_upload = scope["type"] == "http" and scope["path"].rstrip("/").endswith("/upload")
        if not is_upload or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        boundary, is_whole = _boundary_of(scope), False

        async def heard() -> Message:
            nonlocal is_whole
            if is_whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), SILENCE_S)
            except TimeoutError:
                message = {"type": "http.disconnect"}
            if message["type"] == "http.request":
                is_whole = not message.get("more_body", False)
                return message
            is_whole = True
            malformed = b"\r\n--" + boundary + b"\r\n\0"  # a part whose header is none
            return {"type": "http.request", "body": malformed, "more_body": False}

        await self._app(scope, heard, send)


def _boundary_of(scope: Scope) -> bytes:
    """What stands between the parts of the upload."""
    header = Header()
    header["content-type"] = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
    return str(header.get_param("boundary", "")).encode("latin-1")
