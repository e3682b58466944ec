"""What a call holds, read before Gradio does, up to a bound, and handed on as if nobody had."""

import asyncio
import math

from starlette.types import Message, Receive

from photoenhance_ui.settings import Settings

SILENCE_S = 30.0
"""A sender of whom nothing is heard for so long has gone away."""
CALL_BYTES = 100_000
PHOTO_CALL_BYTES = 2_000
"""A call holds at most so many bytes, and so many for each photo: its path, twice, and its name."""


class BodyTooLong(Exception):
    """The call is longer than the bound."""


class BodyBrokeOff(Exception):
    """Who sent the call went away before it ended."""


def most_bytes_of_call(settings: Settings) -> int:
    """The longest call that anybody has a reason for."""
    return CALL_BYTES + settings.max_photos * PHOTO_CALL_BYTES


def too_long(most_bytes: int) -> str:
    """The sentence for a call that is longer."""
    return f"A call may hold {most_bytes} bytes. Photos are uploaded first, to /gradio_api/upload."


async def next_message(receive: Receive, silence_s: float) -> Message:
    """What is heard next; that the sender has gone away, where nothing is for so long."""
    try:
        return await asyncio.wait_for(receive(), silence_s)
    except TimeoutError:
        return {"type": "http.disconnect"}


async def read_body(receive: Receive, most_bytes: float = math.inf) -> bytes:
    """The whole body of a request. Raises BodyTooLong, BodyBrokeOff."""
    body = bytearray()
    while True:
        message = await next_message(receive, SILENCE_S)
        if message["type"] != "http.request":
            raise BodyBrokeOff
        body += message.get("body", b"")
        if len(body) > most_bytes:
            raise BodyTooLong
        if not message.get("more_body", False):
            return bytes(body)


def unread(body: bytes, receive: Receive) -> Receive:
    """The messages of the request from its beginning: the body that was read, then what follows."""
    told = False

    async def messages() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return messages
