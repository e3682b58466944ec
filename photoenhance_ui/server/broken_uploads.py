"""Uploads that break off, or that Gradio could not use, leave nothing on the disk or in memory.

Gradio writes what arrives into passing files, and removes them where the upload is malformed, but
not where its sender goes away, nor where a part is no file or has no name that a file may have. So
such an upload is handed on to it as a malformed one.
"""

from pathlib import PurePosixPath
from urllib.parse import parse_qs

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photoenhance_ui.server.asgi import refuse
from photoenhance_ui.server.bodies import next_message

SILENCE_S = 120.0
"""Seconds of silence after which a sender counts as gone."""
MAX_UPLOAD_ID = 100
"""Characters of the name under which a page asks how far its upload is; Gradio remembers it."""
MAX_BOUNDARY = 200
FIELD = b"files"
BAD_ID = f"The upload_id is a text of up to {MAX_UPLOAD_ID} characters."
NO_FORM = "An upload is a multipart/form-data in UTF-8, with a boundary."


class BrokenUploads:
    """An ASGI app that ends broken uploads for the one inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on; an upload that ends early, or holds what is no file, ends as no upload can."""
        is_upload = scope["type"] == "http" and scope["path"].rstrip("/").endswith("/upload")
        if not is_upload or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        boundary, reason = _boundary_of(scope), _wrong_with(scope["query_string"])
        if boundary is None or reason is not None:
            await refuse(scope, receive, send, 400, reason or NO_FORM)
            return
        form, is_whole = _Form(boundary), False

        async def checked() -> Message:
            nonlocal is_whole
            if is_whole:
                return await receive()
            message = await next_message(receive, SILENCE_S)
            is_last = not message.get("more_body", False)
            if message["type"] == "http.request" and form.accepts(
                message.get("body", b""), is_last
            ):
                is_whole = is_last
                return message
            is_whole = True
            malformed = b"\r\n--" + boundary + b"\r\n\0"  # a part whose header is none
            return {"type": "http.request", "body": malformed, "more_body": False}

        await self._app(scope, checked, send)


class _Form:
    """Reads along, so that what Gradio cannot use is known before it has it."""

    def __init__(self, boundary: bytes) -> None:
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._name_of_header,
                "on_header_value": self._value_of_header,
                "on_header_end": self._end_of_header,
                "on_headers_finished": self._end_of_headers,
                "on_end": self._end,
            },
            max_header_size=8192,
        )
        self._header, self._value, self._disposition = b"", b"", b""
        self._is_usable, self._is_whole = True, False

    def accepts(self, body: bytes, is_last: bool) -> bool:
        """Whether the upload may go on with this; the last piece has to end it."""
        try:
            self._parser.write(body)
        except FormParserError:
            return False
        return self._is_usable and (self._is_whole or not is_last)

    def _name_of_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _value_of_header(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_of_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _end_of_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"filename", b"").decode("utf-8", "replace")
        is_name = b"\0" not in name.encode() and PurePosixPath(name).name not in ("", "..")
        self._is_usable &= is_name and options.get(b"name") == FIELD
        self._disposition = b""

    def _end(self) -> None:
        self._is_whole = True


def _boundary_of(scope: Scope) -> bytes | None:
    """What stands between the parts of the upload; None where it is no form that can be read."""
    kind, options = parse_options_header(Headers(scope=scope).get("content-type", ""))
    boundary, charset = options.get(b"boundary", b""), options.get(b"charset", b"utf-8")
    is_form = kind == b"multipart/form-data" and 0 < len(boundary) <= MAX_BOUNDARY
    return boundary if is_form and charset.lower() in (b"utf-8", b"utf8") else None


def _wrong_with(query: bytes) -> str | None:
    ids = parse_qs(query.decode("latin-1")).get("upload_id", [])
    return BAD_ID if any(len(named) > MAX_UPLOAD_ID for named in ids) else None
