"""The page's handlers: what a press of a button does. Each translates to the owner's Batch."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from photoenhance_ui.batch import Batch
from photoenhance_ui.request import OPTIONS, preset_options
from photoenhance_ui.storage import write_zip
from photoenhance_ui.ui.api import address_of, request_from
from photoenhance_ui.ui.glimpses import glimpses
from photoenhance_ui.ui.options import upscaler_choices
from photoenhance_ui.ui.service import Service, folder_of
from photoenhance_ui.ui.shown import shown_original, shown_result
from photoenhance_ui.ui.texts import text
from photoenhance_ui.ui.uploads import paths_of
from photoenhance_ui.ui.view import Tally, banner_html, rows_html, summary_html

GLIMPSE_S = 0.5  # rows change at most twice a second
ZIP_NAME = "photos_enhanced.zip"

Updates = tuple[Any, ...]
"""One value per component of the view, in the order of ``layout.View.components``."""


@dataclass(eq=False)
class Page:
    """The handlers; they hold nothing of anybody, everything is in the owner's batch."""

    service: Service

    # Whose it is

    def greet(self, token: str | None, request: gr.Request) -> Updates:
        """A page opens: a token for a browser that has none, and what its owner has here."""
        kept = token if self.service.owners.knows(token) else self.service.owners.new_token()
        batch = self._batch(kept, request)
        return kept, self.upscalers(), self.banner(), *self._view(batch)

    def _owner(self, token: str | None, request: gr.Request) -> str:
        return self.service.owners.owner(request.username, token, address_of(request))

    def _batch(self, token: str | None, request: gr.Request) -> Batch | None:
        return self.service.batches.current(self._owner(token, request))

    # Working

    def take(
        self, photos: list[str] | None, token: str | None, request: gr.Request, *options: Any
    ) -> Updates:
        """The button: put the chosen photos into the owner's batch; ``watch`` runs it."""
        paths = paths_of(photos)
        if not paths:
            raise gr.Error(text("no_photos"), print_exception=False)
        wish = request_from(dict(zip((o.name for o in OPTIONS), options, strict=True)))
        batch = self.service.open_batch(self._owner(token, request), wish)
        if batch.request != wish:
            gr.Info(text("joined"))
        for path in paths:
            batch.add(path)
        return None, *self._view(batch)

    async def watch(self, token: str | None, request: gr.Request) -> AsyncIterator[Updates]:
        """Run the owner's batch and show it, until it ends; one stream per owner."""
        batch = self._batch(token, request)
        if batch is not None:
            # Photos may join after the batch ended and before this stream did.
            while not (batch.settled or batch.watched):
                with self.service.streams.reading(request.session_hash, batch):
                    async with aclosing(glimpses(batch, GLIMPSE_S)) as looks:  # type: ignore[type-var]
                        async for _ in looks:
                            yield await asyncio.to_thread(self._view, batch)
        yield await asyncio.to_thread(self._view, batch)

    def cancel(self, token: str | None, request: gr.Request) -> None:
        """Stop everything of the owner; what is finished stays."""
        batch = self._batch(token, request)
        if batch is not None:
            batch.cancel()

    def retry(self, token: str | None, request: gr.Request) -> Updates:
        """Let what failed or was cancelled wait again; ``watch`` runs it."""
        batch = self._batch(token, request)
        if batch is not None:
            batch.retry()
        return self._view(batch)

    def clear(self, token: str | None, request: gr.Request) -> Updates:
        """Begin afresh: what has ended leaves the page."""
        self.service.batches.clear(self._owner(token, request))
        return gr.Column(visible=False), *self._view(self._batch(token, request))

    def leave(self, request: gr.Request) -> None:
        """The tab was closed."""
        self.service.streams.cancel(request.session_hash)

    def _view(self, batch: Batch | None) -> Updates:
        rows = [] if batch is None else batch.rows
        tally = Tally.of(rows)
        return (
            summary_html(rows),
            gr.Gallery([] if batch is None else self._pictures(batch), visible=tally.done > 0),
            rows_html(rows),
            gr.Button(visible=tally.running),
            gr.Button(visible=tally.again > 0 and not tally.running),
            gr.Button(visible=tally.done > 0),
            gr.Button(visible=tally.total > 0 and not tally.running),
        )

    def _pictures(self, batch: Batch) -> list[tuple[str, str]]:
        """The finished photos in the order given, as a browser can show them."""
        shown = ((path, shown_result(path, self.service.settings)) for path in batch.finished)
        return [(str(picture), path.name) for path, picture in shown if picture is not None]

    # Looking and keeping

    def choose(self, chosen: gr.SelectData, token: str | None, request: gr.Request) -> Updates:
        """A photo in the gallery: show it beside its original, and offer it."""
        batch = self._batch(token, request)
        photo_id = Path(chosen.value["image"]["path"]).parent.name
        if batch is None or photo_id not in batch.ids:
            return gr.skip(), gr.skip(), gr.skip()
        row = batch.row(photo_id)
        if row.output is None:
            return gr.skip(), gr.skip(), gr.skip()
        output = Path(row.output)
        before = shown_original(batch, photo_id, self.service.settings)
        after = shown_result(output, self.service.settings)
        pair = None if before is None or after is None else (str(before), str(after))
        return (
            gr.Column(visible=True),
            gr.ImageSlider(pair, label=row.name),
            gr.DownloadButton(value=str(output)),
        )

    def zip_all(self, token: str | None, request: gr.Request) -> str:
        """All finished photos in one ZIP, made here; gives its path."""
        batch = self._batch(token, request)
        if batch is None or not batch.finished:
            raise gr.Error(text("nothing_finished"), print_exception=False)
        folder = folder_of(batch) / "zip"
        shutil.rmtree(folder, ignore_errors=True)
        return str(write_zip(batch.finished, folder / uuid.uuid4().hex / ZIP_NAME))

    # What is there

    def banner(self) -> str:
        """The networks at work and on their way."""
        return banner_html(self.service.engine.facts(), self.service.downloads.states)

    def upscalers(self) -> gr.Dropdown:
        """The choice of networks, as installed now."""
        return gr.Dropdown(choices=upscaler_choices(self.service.engine.facts()))

    def preset(self, name: str) -> list[Any]:
        """Fill the options in."""
        filled = preset_options(name, self.service.engine.facts().upscalers)
        return [filled[option.name] for option in OPTIONS]
