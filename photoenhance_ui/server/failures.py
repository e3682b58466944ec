"""What is answered, and what the log tells, where something failed that no check foresaw."""

import logging

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from photoenhance_ui.errors import quoted
from photoenhance_ui.traces import trace_of

log = logging.getLogger(__name__)


def never_raising(app: ASGIApp) -> ASGIApp:
    """The application; of what nobody foresaw, and was answered, the log tells where it arose."""

    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - its words are somebody's, and are not logged
            log.error("request_failed %s", trace_of(error))

    return quiet


async def end_quietly(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a stream; where it ends with an error it has told so, and nothing is logged."""
    try:
        await app(scope, receive, send)
    except (HTTPException, RuntimeError) as error:
        if not isinstance(error.__cause__ or error, HTTPException):
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def unforeseen(_request: Request, _error: Exception) -> Response:
    """What is answered where nobody foresaw what happened."""
    return JSONResponse({"detail": "Something went wrong here; the server's log tells where."}, 500)


async def malformed(_request: Request, error: Exception) -> Response:
    """What Gradio's routes cannot read: the first thing that is wrong, without what was sent."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"detail": f"{quoted(place)}: {first['msg']}."}, 422)
