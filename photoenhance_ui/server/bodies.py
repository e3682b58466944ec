"""The body of a call: read up to a bound before Gradio reads it, and handed on as if unread."""

import asyncio
import math

from starlette.types import Message, Receive

from photoenhance_ui.settings import Settings

SILENCE_S = 30.0
"""Seconds of silence after which a sender counts as gone."""
CALL_BYTES = 100_000
PHOTO_CALL_BYTES = 2_000
"""A call may hold ``CALL_BYTES``, and these for each photo: its path, twice, and its name."""


class BodyTooLong(Exception):
    """The call is longer than the bound."""


class BodyBrokeOff(Exception):
    """Who sent the call went away before it ended."""


def max_bytes_of_call(settings: Settings) -> int:
    """The longest call that anybody has a reason for."""
    return CALL_BYTES + settings.max_photos * PHOTO_CALL_BYTES


def too_long(max_bytes: int) -> str:
    """The sentence for a call that is longer."""
    return f"A call may hold {max_bytes} bytes. Photos are uploaded first, to /gradio_api/upload."


async def next_message(receive: Receive, silence_s: float) -> Message:
    """The next message; a disconnect where nothing is heard for ``silence_s`` seconds."""
    try:
        return await asyncio.wait_for(receive(), silence_s)
    except TimeoutError:
        return {"type": "http.disconnect"}


async def read_body(receive: Receive, max_bytes: float = math.inf) -> bytes:
    """The whole body of a request. Raises BodyTooLong, BodyBrokeOff."""
    body = bytearray()
    while True:
        message = await next_message(receive, SILENCE_S)
        if message["type"] != "http.request":
            raise BodyBrokeOff
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise BodyTooLong
        if not message.get("more_body", False):
            return bytes(body)


def unread(body: bytes, receive: Receive) -> Receive:
    """The request's messages as if none had been read: first the body, then what follows."""
    is_read = False

    async def messages() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return messages
