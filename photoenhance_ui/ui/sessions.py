"""Whose session it is: Gradio's session hash is a name, and not a secret.

Whoever knows another's hash could read what its handlers answer, end its batch by cutting its
heartbeat, or ask in its name. So the first who uses a hash has it: the browser, or client, that
shows the same cookie; where there are no cookies, the same login from the same address.
"""

import hashlib
import json
import secrets
import threading
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photoenhance_ui.ui.bodies import BodyBrokeOff, BodyTooLong, read_body, too_long, unread
from photoenhance_ui.ui.gate import cookies_of, path_of

VISITOR_COOKIE = "photoenhance-visitor"
MOST_SESSIONS = 10_000
NOT_YOURS = "This session is somebody else's."

API, UPLOAD = "/gradio_api/", "/gradio_api/upload"
HEARTBEAT = "/gradio_api/heartbeat/"


class OwnSessionsOnly:
    """Passes on what names no session, or the sender's own; 403 for the rest."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        """``most_bytes``: of a call, which is read to find the session."""
        self._app = app
        self._most_bytes = most_bytes
        self._visitors: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        is_call = scope["method"] == "POST" and path.startswith(API)
        if is_call and path.rstrip("/") != UPLOAD:
            try:
                body = await read_body(receive, self._most_bytes)
            except BodyTooLong:
                detail = too_long(self._most_bytes)
                await JSONResponse({"detail": detail}, 413)(scope, receive, send)
                return
            except BodyBrokeOff:
                return  # nobody is there to be answered
            sessions, receive = _sessions_in(body), unread(body, receive)
        else:
            sessions = _sessions_of(path, scope["query_string"])
        visitor = cookies_of(scope).get(VISITOR_COOKIE)
        if not all(self._is_of(session, _identity(visitor, scope)) for session in sessions):
            await JSONResponse({"detail": NOT_YOURS}, 403)(scope, receive, send)
            return
        if visitor is None and path in ("/", "/config"):
            send = _with_cookie(send)
        await self._app(scope, receive, send)

    def _is_of(self, session: str, identity: str) -> bool:
        """Whether the session is this one's, which it becomes where it is nobody's yet."""
        with self._lock:
            owner = self._visitors.setdefault(session, identity)
            self._visitors.move_to_end(session)
            while len(self._visitors) > MOST_SESSIONS:
                self._visitors.popitem(last=False)
        return owner == identity


def _identity(visitor: str | None, scope: Scope) -> str:
    """Who asks: never kept in clear, and short whatever was sent."""
    client = scope.get("client")
    told = f"visitor:{visitor}" if visitor else f"address:{client[0] if client else ''}"
    return hashlib.sha256(told.encode()).hexdigest()


def _sessions_of(path: str, query: bytes) -> list[str]:
    if path.startswith(HEARTBEAT):
        return [path.removeprefix(HEARTBEAT).strip("/")]
    return parse_qs(query.decode("latin-1")).get("session_hash", [])


def _sessions_in(body: bytes) -> list[str]:
    try:
        asked: Any = json.loads(body)
    except (ValueError, RecursionError):
        return []  # Gradio says what is wrong with it
    session = asked.get("session_hash") if isinstance(asked, dict) else None
    return [session] if isinstance(session, str) else []


def _with_cookie(send: Send) -> Send:
    cookie = f"{VISITOR_COOKIE}={secrets.token_urlsafe(16)}; Path=/; HttpOnly; SameSite=lax"
    header = (b"set-cookie", cookie.encode())

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], header]
        await send(message)

    return told
