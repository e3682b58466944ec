"""The HTTP API: ``/enhance``, ``/enhance_one``, ``/status``, ``/models``.

Translates to a Batch and back, over the same stream as the page; holds no logic of its own.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import gradio as gr
from gradio.components.api_component import Api
from gradio.events import api

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.errors import InvalidOption, TooManyCalls, TooMuchAtOnce
from photoenhance_ui.events import Row
from photoenhance_ui.options import Option
from photoenhance_ui.request import OPTIONS, Request
from photoenhance_ui.server.service import Service
from photoenhance_ui.ui.blocks import FinalAnswer
from photoenhance_ui.ui.texts import ENGLISH
from photoenhance_ui.ui.uploads import paths_of, photo_input, photos_input

Report = list[dict[str, Any]]
_Handler = TypeVar("_Handler", bound=Callable[..., Any])
COMPUTES = "enhance"
"""The queue of every event that computes; the others never wait behind it."""


def _takes(first: str, kind: Any) -> Callable[[_Handler], _Handler]:
    """Tell Gradio a handler's parameters: what is enhanced, every option, and the request.

    Gradio hands inputs over by position; the names, which are promised to scripts, it reads from
    the signature.
    """
    kinds = {option.name: str if option.choices else option.kind for option in OPTIONS}
    hints = {first: kind, **kinds, "request": gr.Request}

    def told(handler: _Handler) -> _Handler:
        here = inspect.signature(handler)
        by_position = inspect.Parameter.POSITIONAL_OR_KEYWORD
        handler.__signature__ = here.replace(  # type: ignore[attr-defined]
            parameters=[
                here.parameters["self"],
                *(inspect.Parameter(name, by_position, annotation=hints[name]) for name in hints),
            ]
        )
        handler.__annotations__ |= hints
        return handler

    return told


def _read(inputs: Sequence[Any]) -> tuple[Any, Request, gr.Request]:
    """What was given, what is wished for, and who asks."""
    given, *values, request = inputs
    return given, request_from(OPTIONS, values), request


class Endpoints:
    """The handlers of the four endpoints."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @_takes("photos", list[str] | None)
    async def enhance(self, *inputs: Any) -> AsyncIterator[tuple[list[str], Report]]:
        """Enhance photos; yields each one as it is finished or failed, and all at the end."""
        photos, wanted, request = _read(inputs)
        batch = await self._filled(photos, wanted, request)
        places = {photo_id: place for place, photo_id in enumerate(batch.ids)}
        with self._service.streams.reading(request.session_hash, batch):
            async with aclosing(batch.changes()) as changes:  # type: ignore[type-var]
                async for change in changes:
                    if change.row.state.settled:
                        yield answer_of([(places[change.photo_id], change.row)])
        yield FinalAnswer(*answer_of(list(enumerate(batch.rows))))

    @_takes("photo", str | None)
    async def enhance_one(self, *inputs: Any) -> tuple[str | None, dict[str, Any]]:
        """Enhance one photo: its file, or none where it failed, and its row of the report."""
        photo, wanted, request = _read(inputs)
        if photo is None:
            raise gr.Error(ENGLISH("no_photo"), print_exception=False)
        batch = await self._filled([photo], wanted, request)
        with self._service.streams.reading(request.session_hash, batch):
            async with aclosing(batch.changes()) as changes:  # type: ignore[type-var]
                async for _ in changes:
                    pass
        (row,) = batch.rows
        return row.output, row.as_json()

    def status(self) -> dict[str, Any]:
        """Device, precision, networks at hand and being downloaded, queue, version."""
        return self._service.status()

    def models(self) -> dict[str, Any]:
        """The catalogue with what is installed, and the presets."""
        return self._service.models()

    async def _filled(
        self, photos: list[str] | None, wanted: Request, request: gr.Request
    ) -> Batch:
        """A new batch that holds the photos; taking files in is work for a thread."""
        paths, most = paths_of(photos), self._service.settings.max_photos
        if len(paths) > most:
            sentence = ENGLISH("too_many", count=len(paths), most=most)
            raise gr.Error(sentence, print_exception=False)
        caller = self._service.caller(request.username, address_of(request))

        def fill() -> Batch:
            bounds = self._service.bounds
            bounds.note_call(caller)
            return bounds.fill(caller, paths, lambda: self._service.new_batch(caller, wanted))

        try:
            return await asyncio.to_thread(fill)
        except (TooMuchAtOnce, TooManyCalls) as error:
            raise gr.Error(error.sentence, print_exception=False) from error


def answer_of(rows: Sequence[tuple[int, Row]]) -> tuple[list[str], Report]:
    """Files and report of photos, each with its place among those that were given."""
    files = [row.output for _, row in rows if row.output is not None]
    return files, [{"index": place, **row.as_json()} for place, row in rows]


def address_of(request: gr.Request) -> str | None:
    """The client's address."""
    client = request.client
    return None if client is None else str(client.host)


def request_from(options: Sequence[Option], values: Sequence[Any]) -> Request:
    """The Request with a value for each of these options; an impossible one is one sentence."""
    names = (option.name for option in options)
    try:
        return Request.from_options(dict(zip(names, values, strict=True)))
    except InvalidOption as error:
        raise gr.Error(error.sentence, print_exception=False) from error


def build_api(service: Service) -> None:
    """Add the endpoints to the Blocks that is being built; nothing of them is to be seen."""
    endpoints = Endpoints(service)
    computing: dict[str, Any] = {
        "concurrency_id": COMPUTES,
        "concurrency_limit": service.settings.handlers,
        "show_progress": "hidden",
    }
    with gr.Column(visible=False):
        photos, photo = photos_input(label="photos"), photo_input(label="photo")
        options = [Api(_plain(option), _schema(option), option.name) for option in OPTIONS]
        gallery, report = gr.Gallery(label="gallery", type="filepath"), gr.JSON(label="report")
        file, row = gr.File(label="file"), gr.JSON(label="row")
        gr.Button().click(
            endpoints.enhance, [photos, *options], [gallery, report],
            api_name="enhance", **computing,
        )  # fmt: skip
        gr.Button().click(
            endpoints.enhance_one, [photo, *options], [file, row],
            api_name="enhance_one", **computing,
        )  # fmt: skip
    api(endpoints.status, api_name="status", concurrency_id="facts", concurrency_limit=None)
    api(endpoints.models, api_name="models", concurrency_id="facts", concurrency_limit=None)


def _plain(option: Option) -> Any:
    """The default as JSON has it."""
    return str(option.default) if option.choices else option.default


def _schema(option: Option) -> dict[str, Any]:
    """The option as JSON schema, for the page that documents the API."""
    kinds = {bool: "boolean", int: "integer", float: "number"}
    schema: dict[str, Any] = {
        "type": kinds.get(option.kind, "string"),
        "description": option.meaning,
    }
    if option.choices:
        schema["enum"] = [str(choice) for choice in option.choices]
    if option.lowest is not None:
        schema |= {"minimum": option.lowest, "maximum": option.highest}
    return schema
