"""The page's handlers: what a press of a button does. Each translates to the owner's Batch."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gradio as gr

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.catalogue import CATALOGUE
from photoenhance_ui.errors import PhotoEnhanceError, TooManyCalls, TooMuchAtOnce
from photoenhance_ui.events import State
from photoenhance_ui.names import is_side_file, plain_name
from photoenhance_ui.request import OPTIONS, OutputFormat, Request, preset_options
from photoenhance_ui.ui.api import address_of, request_from
from photoenhance_ui.ui.closeup import closeup
from photoenhance_ui.ui.examples import written_examples
from photoenhance_ui.ui.glimpses import glimpses
from photoenhance_ui.ui.manage import Refused, may_manage, take_network
from photoenhance_ui.ui.options import upscaler_choices
from photoenhance_ui.ui.service import Service, files_of
from photoenhance_ui.ui.shown import card_picture, make_thumbnail
from photoenhance_ui.ui.texts import Language, Texts, preferred, texts_in
from photoenhance_ui.ui.uploads import paths_of
from photoenhance_ui.ui.view import (
    Tally,
    banner_html,
    card_of,
    cards_of,
    common_warnings,
    empty_html,
    file_address,
    networks_html,
    summary_html,
)

GLIMPSE_S = 0.5  # cards change at most twice a second
THUMBNAILS_S = 0.3  # of each such time for thumbnails that are still to be made
LANGUAGES_KEPT = 2000
"""So many sessions' languages are remembered; older ones read what their browser asks for."""
SAVED = ("output_format", "quality", "keep_metadata")
"""The options that only say how a result is written."""

Updates = tuple[Any, ...]
"""One value per component of the view, in the order of ``layout.View.components``."""


@dataclass(eq=False)
class Page:
    """The handlers; they hold nothing of anybody but the language that a session reads.

    Everything else is in the owner's batch.
    """

    service: Service
    _languages: dict[str, Language] = field(default_factory=dict)

    # Whose it is, and in which language

    def greet(self, token: str | None, kept: str | None, request: gr.Request) -> tuple[str, str]:
        """A page opens: a token for a browser that has none, and its language."""
        owners = self.service.owners
        known = token if token is not None and owners.knows(token) else owners.new_token()
        return known, self.speak(kept or _accepted(request), request)

    def speak(self, language: str, request: gr.Request) -> str:
        """From now on the session reads this language."""
        spoken = texts_in(language).language
        self._languages.pop(request.session_hash or "", None)
        self._languages[request.session_hash or ""] = spoken
        while len(self._languages) > LANGUAGES_KEPT:
            self._languages.pop(next(iter(self._languages)), None)
        return spoken.value

    def say(self, request: gr.Request) -> Texts:
        """The texts in the session's language."""
        return texts_in(self._languages.get(request.session_hash or "", _accepted(request)))

    def _owner(self, token: str | None, request: gr.Request) -> str:
        return self.service.owners.owner(self.service.person(request.username), token)

    def _batch(self, token: str | None, request: gr.Request) -> Batch | None:
        return self.service.batches.current(self._owner(token, request))

    def _photo(
        self, event: gr.EventData, token: str | None, request: gr.Request
    ) -> tuple[Batch, str]:
        """The owner's photo of which an event tells; ``gr.Error`` where it is not there."""
        batch, photo_id = self._batch(token, request), _told(event, "photo")
        if batch is None or photo_id not in batch.ids:
            raise self._error("gone", request)
        return batch, photo_id

    def _error(self, key: str, request: gr.Request, **values: object) -> gr.Error:
        say = self.say(request)
        return gr.Error(say(key, **values), title=say("error"), print_exception=False)

    def _failed(self, error: PhotoEnhanceError, request: gr.Request) -> gr.Error:
        told = self._reason(error, request)
        return gr.Error(told, title=self.say(request)("error"), print_exception=False)

    def _reason(self, error: PhotoEnhanceError, request: gr.Request) -> str:
        return self.say(request).reason(error.code, error.sentence)

    # Working

    def take_example(self, event: gr.EventData) -> list[str]:
        """An example photo, as if it had been dropped in."""
        path = written_examples(self.service.examples).get(str(_told(event, "name")))
        return [] if path is None else [str(path)]

    def take(
        self, photos: list[str] | None, token: str | None, request: gr.Request, *options: Any
    ) -> Updates:
        """The button: put the chosen photos into the owner's batch; ``watch`` runs it."""
        given, say = paths_of(photos), self.say(request)
        paths = [path for path in given if not is_side_file(path.name)]
        if not paths:
            raise self._error("side_files" if given else "no_photos", request)
        if not (self.service.person(request.username) or self.service.owners.knows(token)):
            raise self._error("stranger", request)
        if len(paths) < len(given):
            gr.Info(say("side_files"), title=say("info"))
        wish = request_from(dict(zip((o.name for o in OPTIONS), options, strict=True)))
        before = self._batch(token, request)
        wish = _as_saved_in(before, wish)
        self._check_room(before, len(paths), request)
        owner, bounds = self._owner(token, request), self.service.bounds
        caller = self.service.caller(request.username, address_of(request))
        try:
            bounds.note_call(caller)
            batch = bounds.fill(
                caller, paths, lambda: self.service.open_batch(owner, wish, len(paths))
            )
        except (TooMuchAtOnce, TooManyCalls) as error:
            raise self._failed(error, request) from error
        if batch.request != wish:
            gr.Info(say("joined"), title=say("info"))
        if before is not None and before is not batch:
            gr.Info(say("replaced"), title=say("info"))
        return None, *self._view(batch, say)

    def _check_room(self, batch: Batch | None, count: int, request: gr.Request) -> None:
        """Raise ``gr.Error`` where so many photos find no room in the batch that they would join.

        What has ended makes room: they begin a new one.
        """
        most = self.service.settings.max_photos
        joined = 0 if batch is None or batch.settled else len(batch.ids)
        if joined + count > most:
            key = "too_many.joining" if count <= most else "too_many"
            told = joined + count if count <= most else count
            raise self._error(key, request, count=told, most=most)

    async def watch(self, token: str | None, request: gr.Request) -> AsyncIterator[Updates]:
        """Run the owner's batch and show it, until it ends; one stream per owner."""
        batch = self._batch(token, request)

        def look() -> Updates:
            return self._view(batch, self.say(request))

        if batch is not None:
            # Photos may join after the batch ended and before this stream did.
            while not (batch.settled or batch.watched):
                with self.service.streams.reading(request.session_hash, batch):
                    async with aclosing(glimpses(batch, GLIMPSE_S)) as looks:  # type: ignore[type-var]
                        async for _ in looks:
                            yield await asyncio.to_thread(look)
        yield await asyncio.to_thread(look)

    def cancel(self, token: str | None, request: gr.Request) -> None:
        """Stop everything of the owner; what is finished stays."""
        batch = self._batch(token, request)
        if batch is not None:
            batch.cancel()

    def cancel_photo(self, event: gr.EventData, token: str | None, request: gr.Request) -> None:
        """Stop one photo."""
        batch, photo_id = self._photo(event, token, request)
        batch.cancel(photo_id)

    def retry(self, token: str | None, request: gr.Request) -> Updates:
        """Let what failed or was cancelled wait again; ``watch`` runs it."""
        batch = self._batch(token, request)
        if batch is not None:
            batch.retry()
        return self._view(batch, self.say(request))

    def retry_photo(self, event: gr.EventData, token: str | None, request: gr.Request) -> Updates:
        """Let one photo wait again."""
        batch, photo_id = self._photo(event, token, request)
        batch.retry(photo_id)
        return self._view(batch, self.say(request))

    def clear(self, token: str | None, request: gr.Request) -> Updates:
        """Begin afresh: what has ended leaves the page."""
        self.service.batches.clear(self._owner(token, request))
        return self.view(token, request)

    def leave(self, request: gr.Request) -> None:
        """The tab was closed."""
        self.service.streams.cancel(request.session_hash)
        self._languages.pop(request.session_hash or "", None)

    def view(self, token: str | None, request: gr.Request) -> Updates:
        """What the owner has here."""
        return self._view(self._batch(token, request), self.say(request))

    def _view(self, batch: Batch | None, say: Texts) -> Updates:
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
        settings, until = self.service.settings, time.monotonic() + THUMBNAILS_S
        for photo_id in batch.ids:
            if time.monotonic() > until:
                break
            if batch.row(photo_id).state not in (State.DONE, State.FAILED):
                make_thumbnail(batch, photo_id, settings)
        said = common_warnings(batch.rows)
        return [
            card_of(
                photo_id, batch.row(photo_id), card_picture(batch, photo_id, settings), said, say
            )
            for photo_id in batch.ids
        ]

    # Looking closely

    def open_photo(
        self, event: gr.EventData, token: str | None, request: gr.Request
    ) -> dict[str, Any]:
        """A finished photo beside its original, for the viewer."""
        batch, photo_id = self._photo(event, token, request)
        return self._closeup(batch, photo_id, event, request)

    def map_photo(
        self, event: gr.EventData, token: str | None, request: gr.Request
    ) -> dict[str, Any]:
        """The same, with the picture of where it departs from its original."""
        batch, photo_id = self._photo(event, token, request)
        shown = self._closeup(batch, photo_id, event, request)
        try:
            return {**shown, "map": file_address(batch.results.departure(photo_id))}
        except PhotoEnhanceError as error:
            return {**shown, "message": self._reason(error, request)}

    def blend_photo(self, event: gr.EventData, token: str | None, request: gr.Request) -> Updates:
        """The faces blended anew, each as strong as told; the viewer, then the whole view."""
        batch, photo_id = self._photo(event, token, request)
        strengths = _told(event, "strengths")
        if not _are_shares(strengths):
            raise self._error("gone", request)
        message = ""
        try:
            batch.results.blend_again(photo_id, strengths)
        except PhotoEnhanceError as error:
            message = self._reason(error, request)
        shown = self._closeup(batch, photo_id, event, request)
        return {**shown, "message": message}, *self._view(batch, self.say(request))

    def _closeup(
        self, batch: Batch, photo_id: str, event: gr.EventData, request: gr.Request
    ) -> dict[str, Any]:
        asked = _told(event, "asked")
        number = asked if isinstance(asked, int) else 0
        return closeup(batch, photo_id, number, self.service.settings, self.say(request))

    # Keeping

    def save_photo(
        self, event: gr.EventData, token: str | None, request: gr.Request, *saved: Any
    ) -> str:
        """One photo's file, written as the saving options say."""
        batch, photo_id = self._photo(event, token, request)
        return str(self._saved(batch, [photo_id], saved, request)[0])

    def zip_all(self, token: str | None, request: gr.Request, *saved: Any) -> str:
        """All finished photos in one ZIP, made here; gives its path."""
        batch = self._batch(token, request)
        return self._zipped(batch, [] if batch is None else batch.ids, saved, request)

    def zip_chosen(
        self, chosen: list[str] | None, token: str | None, request: gr.Request, *saved: Any
    ) -> str:
        """The chosen ones of them."""
        batch, wanted = self._batch(token, request), set(chosen or ())
        ids = [] if batch is None else [photo_id for photo_id in batch.ids if photo_id in wanted]
        return self._zipped(batch, ids, saved, request)

    def _zipped(
        self, batch: Batch | None, ids: Sequence[str], saved: Sequence[Any], request: gr.Request
    ) -> str:
        finished = [i for i in ids if batch is not None and batch.row(i).output is not None]
        if batch is None or not finished:
            raise self._error("nothing_finished", request)
        paths = self._saved(batch, finished, saved, request)
        return str(files_of(batch).zipped(paths))

    def _saved(
        self, batch: Batch, ids: Sequence[str], saved: Sequence[Any], request: gr.Request
    ) -> list[Path]:
        """Files of finished photos, as the saving options say."""
        wish = request_from(dict(zip(SAVED, saved, strict=True)))
        output_format = OutputFormat(wish.output_format)
        try:
            return [
                batch.results.saved_as(photo_id, output_format, wish.quality, wish.keep_metadata)
                for photo_id in ids
            ]
        except PhotoEnhanceError as error:
            raise self._failed(error, request) from error

    def saving(self, token: str | None, request: gr.Request) -> list[Any]:
        """The saving options as those of the owner's batch, so that a download changes nothing."""
        batch = self._batch(token, request)
        if batch is None:
            return [gr.skip() for _ in SAVED]
        return [getattr(batch.request, name) for name in SAVED]

    # What is there

    def empty(self, say: Texts) -> str:
        """What stands where no batch is yet."""
        examples = written_examples(self.service.examples)
        return empty_html(examples, self.service.engine.facts(), say)

    def banner(self, request: gr.Request) -> str:
        """The networks at work and on their way."""
        engine, downloads = self.service.engine, self.service.downloads.states
        return banner_html(engine.facts(), engine.queue(), downloads, self.say(request))

    def upscalers(self, request: gr.Request) -> gr.Dropdown:
        """The choice of networks, as installed now."""
        facts = self.service.engine.facts()
        return gr.Dropdown(choices=upscaler_choices(facts, self.say(request)))

    def preset(self, name: str) -> list[Any]:
        """Fill the options in, all but those that only say how a result is written."""
        filled = preset_options(name, self.service.engine.facts().upscalers)
        return [filled[option.name] for option in OPTIONS if option.name not in SAVED]

    # Networks

    def networks(self, request: gr.Request) -> str:
        """The table of networks."""
        settings, downloads = self.service.settings, self.service.downloads.states
        downloadable = may_manage(settings, dict(request.headers)) and not settings.offline
        models: Any = self.service.models()["models"]
        return networks_html(models, downloads, self.say(request), downloadable=downloadable)

    def networks_hint(self, request: gr.Request) -> tuple[Any, Any]:
        """The field for a file of one's own, and what is to be said beside it."""
        settings, say = self.service.settings, self.say(request)
        allowed = may_manage(settings, dict(request.headers))
        lines = [say("networks.own.hint") if allowed else say("networks.not_allowed")]
        lines += [say("networks.offline")] if allowed and settings.offline else []
        return gr.File(visible=allowed), " ".join(lines)

    def fetch_network(self, event: gr.EventData, request: gr.Request) -> str:
        """Begin to download a network of the catalogue."""
        settings = self.service.settings
        if settings.offline or not may_manage(settings, dict(request.headers)):
            raise self._error("networks.not_allowed", request)
        wanted = next((file for file in CATALOGUE if file.name == _told(event, "name")), None)
        if wanted is None or not wanted.runs:
            raise self._error("networks.absent", request)
        self.service.downloads.start([wanted])
        return self.networks(request)

    def take_network(self, file: str | None, request: gr.Request) -> tuple[None, str]:
        """A file of one's own was dropped in: it is put to use, or refused with a reason."""
        say = self.say(request)
        if not may_manage(self.service.settings, dict(request.headers)):
            raise self._error("networks.not_allowed", request)
        if file is not None:
            name = plain_name(Path(file).name)
            try:
                taken = take_network(self.service, Path(file), say)
                gr.Info(say("networks.own.taken", name=taken), title=say("info"))
            except Refused as refusal:
                gr.Warning(
                    say("networks.own.refused", name=name, reason=refusal), title=say("error")
                )
        return None, self.networks(request)


def _as_saved_in(batch: Batch | None, wish: Request) -> Request:
    """The wish, written as the batch's results are: how one is kept is decided at the download.

    So photos join a batch that differs in that alone, and what is there stays in view.
    """
    if batch is None:
        return wish
    joining = replace(wish, **{name: getattr(batch.request, name) for name in SAVED})
    return joining if batch.accepts(joining) else wish


def _accepted(request: gr.Request) -> Language:
    """What the browser asks for."""
    return preferred(dict(request.headers).get("accept-language"))


def _told(event: gr.EventData, name: str) -> Any:
    """A value of an event; it comes from a browser, so it may be anything."""
    data = event._data
    return data.get(name) if isinstance(data, dict) else None


def _are_shares(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int | float) and 0 <= value <= 1 for value in values
    )
