"""Whose session it is: Gradio's session hash is a name, and not a secret.

Whoever knows another's hash could read what its handlers answer, end its batch by cutting its
heartbeat, or ask in its name. So the first who uses a hash has it: the browser, or client, that
shows the same cookie; where there are no cookies, the same login from the same address.
"""

import hashlib
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photoenhance_ui.server.asgi import address_of, cookies_of, path_of, refuse
from photoenhance_ui.server.bodies import BodyBrokeOff, BodyTooLong, read_body, too_long, unread
from photoenhance_ui.server.calls import EVENT, MAX_HASH, NO_SESSION
from photoenhance_ui.server.hosts import network_of
from photoenhance_ui.server.login_checks import PERSON

VISITOR_COOKIE = "photoenhance-visitor"
PLAIN_COOKIE = "Path=/; HttpOnly; SameSite=lax"
EMBEDDED_COOKIE = "Path=/; HttpOnly; Secure; SameSite=None; Partitioned"
TOGETHER_S = 3.0
MAX_GREETINGS = 10_000
MAX_SESSIONS, MAX_SESSIONS_OF_ADDRESS = 100_000, 2_000
NOT_YOURS = "This session is somebody else's. Load the page anew."

API, UPLOAD = "/gradio_api/", "/gradio_api/upload"
HEARTBEAT = "/gradio_api/heartbeat/"


class Visitors:
    """Whose each session is. Thread-safe.

    A session counts for the network in which it began. Of each, ``MAX_SESSIONS_OF_ADDRESS`` are
    kept, the newest, so that nobody can push out the sessions of others by beginning many.
    """

    def __init__(self) -> None:
        self._identities: dict[bytes, tuple[bytes, str]] = {}
        self._began_in: dict[str, OrderedDict[bytes, None]] = {}
        self._lock = threading.Lock()

    def is_own(self, session: str, identity: bytes, address: str) -> bool:
        """Whether the session is this one's, which it becomes where it is nobody's yet."""
        key = _digest(session)
        with self._lock:
            owner, network = self._identities.get(key, (identity, network_of(address)))
            if owner == identity:
                self._identities[key] = owner, network
                self._began_in.setdefault(network, OrderedDict())[key] = None
                self._began_in[network].move_to_end(key)
                self._make_room(network)
        return owner == identity

    def _make_room(self, network: str) -> None:
        if len(self._began_in[network]) > MAX_SESSIONS_OF_ADDRESS:
            self._forget_oldest(network)
        if len(self._identities) > MAX_SESSIONS:
            self._forget_oldest(max(self._began_in, key=lambda name: len(self._began_in[name])))

    def _forget_oldest(self, network: str) -> None:
        sessions = self._began_in[network]
        del self._identities[sessions.popitem(last=False)[0]]
        if not sessions:
            del self._began_in[network]


class Greetings:
    """The cookies for visitors who have none: the same one for requests that come together.

    Two tabs that open at once both come without a cookie, and the browser keeps one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lately: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def name_for(self, scope: Scope) -> str:
        """A new visitor's name, or the one that this browser at this address got just now."""
        headers = Headers(scope=scope)
        if headers.get("sec-fetch-mode") != "navigate":
            return secrets.token_urlsafe(16)  # no tab of a browser
        now_s, who = self._clock(), (address_of(scope), headers.get("user-agent", "")[:200])
        with self._lock:
            began_s, name = self._lately.get(who, (-TOGETHER_S, ""))
            if now_s - began_s >= TOGETHER_S:
                self._lately[who] = (now_s, name := secrets.token_urlsafe(16))
                self._lately.move_to_end(who)
            while len(self._lately) > MAX_GREETINGS:
                self._lately.popitem(last=False)
        return name


class OwnSessionsOnly:
    """Passes on what names no session, or the sender's own; 403 for the rest."""

    def __init__(self, app: ASGIApp, max_bytes: int, *, embedded: bool = False) -> None:
        """``max_bytes``: of a call, which is read to find the session.

        ``embedded``: the page is shown in a frame of another site, where only a cookie comes back
        that says so.
        """
        self._app = app
        self._max_bytes = max_bytes
        self._attributes = EMBEDDED_COOKIE if embedded else PLAIN_COOKIE
        self._visitors, self._greetings = Visitors(), Greetings()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        is_call = scope["method"] == "POST" and path.startswith(API)
        sessions = _sessions_of(scope["method"], path, scope["query_string"])
        if is_call and path.rstrip("/") != UPLOAD:
            try:
                body = await read_body(receive, self._max_bytes)
            except BodyTooLong:
                await refuse(scope, receive, send, 413, too_long(self._max_bytes))
                return
            except BodyBrokeOff:
                return  # nobody is there to be answered
            sessions, receive = sessions + _sessions_in(body), unread(body, receive)
        visitor, address = cookies_of(scope).get(VISITOR_COOKIE), address_of(scope)
        who = f"visitor:{visitor}" if visitor else f"address:{address}"
        identity = _digest(f"{scope.get(PERSON, '')}:{who}")
        if not all(0 < len(session) <= MAX_HASH for session in sessions):
            await refuse(scope, receive, send, 400, NO_SESSION)
            return
        if not all(self._visitors.is_own(session, identity, address) for session in sessions):
            await refuse(scope, receive, send, 403, NOT_YOURS)
            return
        if visitor is None and path in ("/", "/config"):
            send = self._with_cookie(send, self._greetings.name_for(scope))
        await self._app(scope, receive, send)

    def _with_cookie(self, send: Send, name: str) -> Send:
        header = (b"set-cookie", f"{VISITOR_COOKIE}={name}; {self._attributes}".encode())

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            await send(message)

        return send_with_cookie


def _digest(text: str) -> bytes:
    """Nothing that was sent is kept in clear, and all is short."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _sessions_of(method: str, path: str, query: bytes) -> list[str]:
    """Those that a path or a query names; a call's number serves as one, where it has no other."""
    named = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("session_hash", [])
    if path.startswith(HEARTBEAT):
        return [*named, path.removeprefix(HEARTBEAT).strip("/")]
    call = EVENT.search(path) if method == "GET" else None
    return [*named, call[1]] if call else named


def _sessions_in(body: bytes) -> list[str]:
    try:
        payload: Any = json.loads(body)
    except (ValueError, RecursionError):
        return []  # Gradio says what is wrong with it
    session = payload.get("session_hash") if isinstance(payload, dict) else None
    return [session] if isinstance(session, str) else []
