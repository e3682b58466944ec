"""The HTTP API: /enhance, /enhance_one, /status and /models, as ordinary Gradio endpoints."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import gradio as gr

from photoenhance_ui.batch import Batch
from photoenhance_ui.errors import PhotoEnhanceError
from photoenhance_ui.request import OPTIONS, Option, Request
from photoenhance_ui.ui.owner import owner_of, session_of
from photoenhance_ui.ui.server import Server, photos_of
from photoenhance_ui.ui.uploads import PhotoFiles, Upload

COMPUTE = "enhance"
"""The concurrency group of everything that computes."""

Yield = tuple[list[str], list[dict[str, Any]]]


def add_api(server: Server) -> None:
    """Give the page that is being built its endpoints; their components are never shown."""
    handlers = server.settings.handlers

    async def enhance(
        photos: list[Upload],
        scale: float,
        upscaler: str,
        faces: str,
        face_strength: float,
        denoise: float,
        precision: str,
        output_format: str,
        quality: float,
        keep_metadata: bool,
        request: gr.Request,
    ) -> AsyncIterator[Yield]:
        """Enhance photos; yields after each finished or failed one, and the last yield is whole."""
        options = {
            "scale": scale, "upscaler": upscaler, "faces": faces, "face_strength": face_strength,
            "denoise": denoise, "precision": precision, "output_format": output_format,
            "quality": quality, "keep_metadata": keep_metadata,
        }  # fmt: skip
        batch = server.new_batch(owner_of(request), checked_request(options))
        await asyncio.to_thread(photos_of, photos, batch)
        yielded = False
        with server.stream_of(session_of(request), batch):
            async with aclosing(batch.changes()) as changes:
                async for change in changes:
                    if change.row.state.settled:
                        yielded = True
                        yield _whole(batch)
        if not yielded:
            yield [], []

    async def enhance_one(
        photo: list[Upload],
        scale: float,
        upscaler: str,
        faces: str,
        face_strength: float,
        denoise: float,
        precision: str,
        output_format: str,
        quality: float,
        keep_metadata: bool,
        request: gr.Request,
    ) -> tuple[str | None, dict[str, Any]]:
        """Enhance one photo; gives the file (null where it failed) and its row of the report."""
        if not photo:
            raise gr.Error("Give one photo.", print_exception=False)
        last: Yield = ([], [])
        async for last in enhance(
            photo[:1], scale, upscaler, faces, face_strength, denoise, precision, output_format,
            quality, keep_metadata, request,
        ):  # fmt: skip
            pass
        files, rows = last
        return (files[0] if files else None), rows[0]

    with gr.Group(visible=False):
        photos = PhotoFiles(label="photos")
        photo = OnePhotoFile(label="photo")
        options = [_component(option) for option in OPTIONS]
        gallery = gr.Gallery(label="gallery", columns=1)
        report = gr.JSON(label="report")
        result = gr.File(label="result")
        row = gr.JSON(label="row")
        gr.Button("enhance").click(
            enhance, [photos, *options], [gallery, report], api_name="enhance",
            concurrency_id=COMPUTE, concurrency_limit=handlers,
        )  # fmt: skip
        gr.Button("enhance one").click(
            enhance_one, [photo, *options], [result, row], api_name="enhance_one",
            concurrency_id=COMPUTE, concurrency_limit=handlers,
        )  # fmt: skip

    def status() -> dict[str, Any]:
        """Device, precision, networks at hand and being downloaded, queue, version."""
        return server.status()

    def models() -> dict[str, Any]:
        """The catalogue with what is installed, and the presets."""
        return server.models()

    gr.api(status, api_name="status", concurrency_id="facts", concurrency_limit=8)
    gr.api(models, api_name="models", concurrency_id="facts", concurrency_limit=8)


def checked_request(options: dict[str, Any]) -> Request:
    """A Request from what arrived, or the sentence as Gradio's error."""
    quality = options.get("quality")
    if isinstance(quality, float) and quality.is_integer():  # JSON knows one kind of number
        options = {**options, "quality": int(quality)}
    try:
        return Request.from_options(options)
    except PhotoEnhanceError as error:
        raise gr.Error(error.sentence, print_exception=False) from error


def _whole(batch: Batch) -> Yield:
    return [str(path) for path in batch.finished], [row.as_json() for row in batch.rows]


class OnePhotoFile(PhotoFiles):
    """A field for a single file; hands over a list of one."""

    def __init__(self, **settings: Any) -> None:
        gr.File.__init__(self, file_count="single", **settings)


def _component(option: Option) -> gr.components.Component:
    """A plain component: values are checked by the Request, whose sentences are ours."""
    default = option.default
    if option.kind is bool:
        return gr.Checkbox(value=default, label=option.name)
    if option.kind in (int, float):
        return gr.Number(value=default, label=option.name)
    return gr.Textbox(value=str(default), label=option.name)
