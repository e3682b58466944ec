"""The handlers of the batch: start, watch, cancel, retry, clear, and what is shown of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import gradio as gr

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.errors import TooManyCalls, TooMuchAtOnce
from photoenhance_ui.events import State
from photoenhance_ui.names import is_side_file
from photoenhance_ui.request import OPTIONS, Request
from photoenhance_ui.ui.api import address_of, request_from
from photoenhance_ui.ui.cards import card_of, cards_of
from photoenhance_ui.ui.examples import written_examples
from photoenhance_ui.ui.previews import card_picture, make_thumbnail
from photoenhance_ui.ui.summary import Tally, common_warnings, empty_html, summary_html
from photoenhance_ui.ui.texts import Texts
from photoenhance_ui.ui.throttle import throttled
from photoenhance_ui.ui.uploads import paths_of
from photoenhance_ui.ui.visits import Visits, event_value

THROTTLE_S = 0.5  # cards change at most twice a second
THUMBNAILS_S = 0.3  # of each such time for thumbnails that are still to be made

Updates = tuple[Any, ...]
"""One value per component of the view, in the order of ``layout.View.components``."""


class BatchHandlers:
    """What the buttons of the batch do, and what the page shows of it."""

    def __init__(self, visits: Visits) -> None:
        self._visits, self._service = visits, visits.service

    def empty(self, say: Texts) -> str:
        """The HTML that is shown while there is no batch."""
        examples = written_examples(self._service.examples)
        return empty_html(examples, self._service.engine.facts(), say)

    def take_example(self, event: gr.EventData) -> list[str]:
        """An example photo, as if it had been dropped in."""
        path = written_examples(self._service.examples).get(str(event_value(event, "name")))
        return [] if path is None else [str(path)]

    def start(
        self, photos: list[str] | None, token: str | None, request: gr.Request, *options: Any
    ) -> Updates:
        """Put the chosen photos into the owner's batch, which ``watch`` then runs."""
        given, say = paths_of(photos), self._visits.say(request)
        paths = [path for path in given if not is_side_file(path.name)]
        if not paths:
            raise self._visits.error("side_files" if given else "no_photos", request)
        if not self._visits.is_known(token, request):
            raise self._visits.error("stranger", request)
        if len(paths) < len(given):
            gr.Info(say("side_files"), title=say("info"))
        wanted = request_from(OPTIONS, options)
        before = self._visits.batch(token, request)
        wanted = _as_saved_in(before, wanted)
        self._check_room(before, len(paths), request)
        owner, bounds = self._visits.owner(token, request), self._service.bounds
        caller = self._service.caller(request.username, address_of(request))
        try:
            bounds.note_call(caller)
            batch = bounds.fill(
                caller, paths, lambda: self._service.open_batch(owner, wanted, len(paths))
            )
        except (TooMuchAtOnce, TooManyCalls) as error:
            raise self._visits.failure(error, request) from error
        if batch.request != wanted:
            gr.Info(say("joined"), title=say("info"))
        if before is not None and before is not batch:
            gr.Info(say("replaced"), title=say("info"))
        return None, *self.updates_of(batch, say)

    def _check_room(self, batch: Batch | None, count: int, request: gr.Request) -> None:
        """Raise ``gr.Error`` where so many photos find no room in the batch that they would join.

        What has ended makes room: they begin a new one.
        """
        most = self._service.settings.max_photos
        joined = 0 if batch is None or batch.settled else len(batch.ids)
        if joined + count > most:
            key = "too_many.joining" if count <= most else "too_many"
            total = joined + count if count <= most else count
            raise self._visits.error(key, request, count=total, most=most)

    async def watch(self, token: str | None, request: gr.Request) -> AsyncIterator[Updates]:
        """Run the owner's batch and show it, until it ends; one stream per owner."""
        batch = self._visits.batch(token, request)

        def updates() -> Updates:
            return self.updates_of(batch, self._visits.say(request))

        if batch is not None:
            # Photos may join after the batch ended and before this stream did.
            while not (batch.settled or batch.watched):
                with self._service.streams.reading(request.session_hash, batch):
                    async with aclosing(throttled(batch, THROTTLE_S)) as ticks:  # type: ignore[type-var]
                        async for _ in ticks:
                            yield await asyncio.to_thread(updates)
        yield await asyncio.to_thread(updates)

    def cancel(self, token: str | None, request: gr.Request) -> None:
        """Stop everything of the owner; what is finished stays."""
        batch = self._visits.batch(token, request)
        if batch is not None:
            batch.cancel()

    def cancel_photo(self, event: gr.EventData, token: str | None, request: gr.Request) -> None:
        """Stop one photo."""
        batch, photo_id = self._visits.photo(event, token, request)
        batch.cancel(photo_id)

    def retry(self, token: str | None, request: gr.Request) -> Updates:
        """Let what failed or was cancelled wait again; ``watch`` runs it."""
        batch = self._visits.batch(token, request)
        if batch is not None:
            batch.retry()
        return self.updates_of(batch, self._visits.say(request))

    def retry_photo(self, event: gr.EventData, token: str | None, request: gr.Request) -> Updates:
        """Let one photo wait again."""
        batch, photo_id = self._visits.photo(event, token, request)
        batch.retry(photo_id)
        return self.updates_of(batch, self._visits.say(request))

    def clear(self, token: str | None, request: gr.Request) -> Updates:
        """Start over: what has ended leaves the page."""
        self._service.batches.clear(self._visits.owner(token, request))
        return self.view(token, request)

    def view(self, token: str | None, request: gr.Request) -> Updates:
        """Everything that the page shows of the owner's batch."""
        return self.updates_of(self._visits.batch(token, request), self._visits.say(request))

    def updates_of(self, batch: Batch | None, say: Texts) -> Updates:
        """Everything that the page shows of a batch, or of none."""
        rows = [] if batch is None else batch.rows
        tally = Tally.of(rows)
        left_s = None if batch is None or not tally.running else batch.eta_seconds()
        return (
            gr.HTML(visible=not rows),
            summary_html(rows, left_s, say),
            cards_of([] if batch is None else self._cards(batch, say), say),
            gr.Button(visible=tally.running),
            gr.Button(visible=tally.again > 0 and not tally.running),
            gr.Button(visible=tally.done > 0),
            gr.Button(visible=tally.done > 1),
            gr.Button(visible=tally.total > 0 and not tally.running),
        )

    def _cards(self, batch: Batch, say: Texts) -> list[dict[str, Any]]:
        settings, until = self._service.settings, time.monotonic() + THUMBNAILS_S
        for photo_id in batch.ids:
            if time.monotonic() > until:
                break
            if batch.row(photo_id).state not in (State.DONE, State.FAILED):
                make_thumbnail(batch, photo_id, settings)
        common = common_warnings(batch.rows)
        return [
            card_of(
                photo_id, batch.row(photo_id), card_picture(batch, photo_id, settings), common, say
            )
            for photo_id in batch.ids
        ]


def _as_saved_in(batch: Batch | None, wanted: Request) -> Request:
    """What is wanted, written as the batch's results are: a download decides how one is written.

    So photos join a batch that differs in that alone, and what is there stays in view.
    """
    if batch is None:
        return wanted
    joining = replace(wanted, saving=batch.request.saving)
    return joining if batch.accepts(joining) else wanted
