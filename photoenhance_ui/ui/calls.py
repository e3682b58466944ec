"""Calls over HTTP that cannot be right are answered at once: 4xx, with a sentence as JSON.

Gradio answers them with 500 and a traceback in the log, or takes them and says nothing later. This
looks at the form of a call alone: which endpoint, and which arguments; what they hold is judged by
the handlers.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from photoenhance_ui.errors import quoted
from photoenhance_ui.ui.answers import Answering
from photoenhance_ui.ui.bodies import read_body, unread
from photoenhance_ui.ui.gate import address_of, refuse
from photoenhance_ui.ui.texts import ENGLISH
from photoenhance_ui.ui.uploads import are_uploads

CALL = re.compile(r"/gradio_api/(call/v2|call|run|api|queue)/([^/]+)/?$")
MAX_HASH = 100
NO_SESSION = f"A session hash is a text of up to {MAX_HASH} characters."
MAX_CALLS_WAITING = 200
"""Of one address, or a script that sends many calls at once would keep all others out."""
EVENT = re.compile(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)/?$")


class _Refused(Exception):
    """The call cannot be right; arguments: the HTTP status and a sentence."""


@dataclass(frozen=True)
class _Endpoint:
    name: str
    arguments: tuple[str, ...]
    needed: tuple[str, ...]

    @property
    def described(self) -> str:
        return f"{self.name} takes {len(self.arguments)} arguments ({', '.join(self.arguments)})"


class WellFormedCalls:
    """An ASGI app that lets well-formed calls through to the one inside, which serves ``blocks``.

    It stands behind ``OwnSessionsOnly``, which reads no call that is too long.
    """

    def __init__(self, app: ASGIApp, blocks: Answering) -> None:
        self._app = app
        self._blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or hand on."""
        method = scope["method"] if scope["type"] == "http" else None
        if method == "POST" and (call := CALL.search(scope["path"])):
            try:
                self._blocks.forget_idle(time.monotonic())
                body = await read_body(receive)
                self._check(call[1], call[2], _json(body))
                self._check_room(address_of(scope))
            except _Refused as refused:
                await refuse(scope, receive, send, *refused.args)
            else:
                await self._app(scope, unread(body, receive), send)
        elif method == "GET" and (event := EVENT.search(scope["path"])):
            if self._knows(event[1]):
                await _quietly(self._app, scope, receive, send)
            else:
                sentence = f"There is no call with the number {quoted(event[1])}."
                await refuse(scope, receive, send, 404, sentence)
        elif method == "GET" and scope["path"].rstrip("/").endswith("/queue/data"):
            await _quietly(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    @cached_property
    def _endpoints(self) -> Mapping[str, _Endpoint]:
        told: Any = self._blocks.get_api_info()
        return {
            name.removeprefix("/"): _Endpoint(
                name,
                tuple(p["parameter_name"] for p in about["parameters"]),
                tuple(
                    p["parameter_name"]
                    for p in about["parameters"]
                    if not p["parameter_has_default"]
                ),
            )
            for name, about in told["named_endpoints"].items()
        }

    def _check(self, way: str, name: str, body: Mapping[str, Any]) -> None:
        if way == "call/v2":
            _check_named(self._endpoint(name), body)
            return
        session = body.get("session_hash")
        if session is not None and not (isinstance(session, str) and len(session) <= MAX_HASH):
            raise _Refused(400, NO_SESSION)
        if not are_uploads(body.get("event_data")):
            raise _Refused(400, ENGLISH("not_uploaded"))
        data = body.get("data")
        if not isinstance(data, list):
            raise _Refused(400, 'The field "data" must be a list of the arguments.')
        if way == "call" or (way != "queue" and body.get("fn_index") is None):
            endpoint = self._endpoint(name)
            if len(data) != len(endpoint.arguments):
                raise _Refused(400, f"{endpoint.described}, not {len(data)}.")
            return
        number = body.get("fn_index")
        event = self._blocks.fns.get(number) if isinstance(number, int) else None
        if event is None or event.fn is None:
            raise _Refused(404, f"There is no event with the number {quoted(number)}.")
        if len(data) < len(event.inputs):
            raise _Refused(400, f"The event takes {len(event.inputs)} values, not {len(data)}.")

    def _check_room(self, address: str) -> None:
        """Nobody fills the queue that others wait in, too."""
        waiting = self._blocks.waiting_events()
        count = sum(address_of(event.request.scope) == address for event in waiting)
        if count >= MAX_CALLS_WAITING:
            raise _Refused(429, f"{count} calls of yours wait already. Wait until some have ended.")

    def _endpoint(self, name: str) -> _Endpoint:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            there = ", ".join(one.name for one in self._endpoints.values())
            raise _Refused(404, f"There is no endpoint named {quoted(name)}; there are: {there}.")
        return endpoint

    def _knows(self, event_id: str) -> bool:
        """Whether somebody may still ask how this call went."""
        queue = self._blocks._queue
        return (
            event_id in queue.event_ids_to_events
            or event_id in queue.pending_event_ids_session.get(event_id, ())
            or any(event_id in ids for ids in list(queue.pending_event_ids_session.values()))
        )


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _Refused(400, "The body must be a JSON object.")
    return value


def _check_named(endpoint: _Endpoint, body: Mapping[str, Any]) -> None:
    """The arguments by name; one that Gradio itself takes may stand beside them."""
    for given in body:
        if given not in (*endpoint.arguments, "oauth_token"):
            raise _Refused(400, f"{endpoint.described}, and none named {quoted(given)}.")
    for needed in endpoint.needed:
        if needed not in body:
            raise _Refused(400, f"{endpoint.name} needs the argument {needed!r}.")


async def _quietly(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """A stream that ends with an error has told it already: no traceback in the log."""
    try:
        await app(scope, receive, send)
    except (HTTPException, RuntimeError) as error:
        if not isinstance(error.__cause__ or error, HTTPException):
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def malformed(_request: Request, error: Exception) -> Response:
    """What Gradio's routes cannot read: the first thing that is wrong, without what was sent."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"detail": f"{quoted(place)}: {first['msg']}."}, 422)
