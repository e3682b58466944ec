"""Calls over HTTP that cannot be right are answered at once: 4xx, with a sentence as JSON.

Gradio answers them with 500 and a traceback in the log, or accepts them and says nothing later.
This looks at the form of a call alone: which endpoint, and which arguments; what they hold is
judged by the handlers.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from photoenhance_ui.errors import quoted
from photoenhance_ui.server.asgi import address_of, refuse
from photoenhance_ui.server.bodies import read_body, unread
from photoenhance_ui.server.failures import end_quietly
from photoenhance_ui.server.uploads import NOT_UPLOADED, are_uploads

CALL = re.compile(r"/gradio_api/(call/v2|call|run|api|queue)/([^/]+)/?$")
MAX_HASH = 100
NO_SESSION = f"A session hash is a text of up to {MAX_HASH} characters."
MAX_CALLS_WAITING = 200
"""The bound of one address: else a script that sends many calls would keep all others out."""
EVENT = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)/?$")


class _Refused(Exception):
    """The call cannot be right; arguments: the HTTP status and a sentence."""


@dataclass(frozen=True)
class Endpoint:
    """A named endpoint and the names of its arguments."""

    name: str
    arguments: tuple[str, ...]
    needed: tuple[str, ...]
    """The arguments that have no default."""

    @property
    def described(self) -> str:
        """How many arguments it takes, and which."""
        return f"{self.name} takes {len(self.arguments)} arguments ({', '.join(self.arguments)})"


class CallQueue(Protocol):
    """The framework that queues the calls and serves them, as far as the checks ask it."""

    def endpoints(self) -> Mapping[str, Endpoint]:
        """Every named endpoint, by its name without the slash."""

    def inputs_of_event(self, number: object) -> int | None:
        """How many values the event of that number takes; None where there is none."""

    def calls_waiting_at(self, address: str) -> int:
        """How many calls of that address wait for their handler or are in it."""

    def knows_call(self, event_id: str) -> bool:
        """Whether somebody may still ask how this call went."""

    def forget_idle(self, now: float) -> None:
        """Forget what idle sessions have not read; ``now`` is monotonic, in seconds."""


class WellFormedCalls:
    """An ASGI app that lets well-formed calls through to the one inside, which serves ``queue``.

    It stands behind ``OwnSessionsOnly``, which reads no call that is too long.
    """

    def __init__(self, app: ASGIApp, queue: CallQueue, uploads: Path) -> None:
        """``uploads`` is the folder in which uploaded files lie."""
        self._app = app
        self._queue = queue
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or hand on."""
        method = scope["method"] if scope["type"] == "http" else None
        if method == "POST" and (call := CALL.search(scope["path"])):
            try:
                self._queue.forget_idle(time.monotonic())
                body = await read_body(receive)
                self._check(call[1], call[2], _json(body))
                self._check_room(address_of(scope))
            except _Refused as refused:
                await refuse(scope, receive, send, *refused.args)
            else:
                await self._app(scope, unread(body, receive), send)
        elif method == "GET" and (event := EVENT.search(scope["path"])):
            if self._queue.knows_call(event[1]):
                await end_quietly(self._app, scope, receive, send)
            else:
                sentence = f"There is no call with the number {quoted(event[1])}."
                await refuse(scope, receive, send, 404, sentence)
        elif method == "GET" and scope["path"].rstrip("/").endswith("/queue/data"):
            await end_quietly(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    @cached_property
    def _endpoints(self) -> Mapping[str, Endpoint]:
        return self._queue.endpoints()

    def _check(self, way: str, name: str, body: Mapping[str, Any]) -> None:
        if way == "call/v2":
            _check_named(self._endpoint(name), body)
            return
        session = body.get("session_hash")
        if session is not None and not (isinstance(session, str) and len(session) <= MAX_HASH):
            raise _Refused(400, NO_SESSION)
        if not are_uploads(body.get("event_data"), self._uploads):
            raise _Refused(400, NOT_UPLOADED)
        data = body.get("data")
        if not isinstance(data, list):
            raise _Refused(400, 'The field "data" must be a list of the arguments.')
        if way == "call" or (way != "queue" and body.get("fn_index") is None):
            endpoint = self._endpoint(name)
            if len(data) != len(endpoint.arguments):
                raise _Refused(400, f"{endpoint.described}, not {len(data)}.")
            return
        number = body.get("fn_index")
        inputs = self._queue.inputs_of_event(number)
        if inputs is None:
            raise _Refused(404, f"There is no event with the number {quoted(number)}.")
        if len(data) < inputs:
            raise _Refused(400, f"The event takes {inputs} values, not {len(data)}.")

    def _check_room(self, address: str) -> None:
        """Refuse a call of an address that has filled its part of the queue."""
        count = self._queue.calls_waiting_at(address)
        if count >= MAX_CALLS_WAITING:
            raise _Refused(429, f"{count} calls of yours wait already. Wait until some have ended.")

    def _endpoint(self, name: str) -> Endpoint:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            there = ", ".join(one.name for one in self._endpoints.values())
            raise _Refused(404, f"There is no endpoint named {quoted(name)}; there are: {there}.")
        return endpoint


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _Refused(400, "The body must be a JSON object.")
    return value


def _check_named(endpoint: Endpoint, body: Mapping[str, Any]) -> None:
    """Check the arguments by name; one that Gradio itself uses may stand beside them."""
    for given in body:
        if given not in (*endpoint.arguments, "oauth_token"):
            raise _Refused(400, f"{endpoint.described}, and none named {quoted(given)}.")
    for needed in endpoint.needed:
        if needed not in body:
            raise _Refused(400, f"{endpoint.name} needs the argument {needed!r}.")
