"""The handlers of downloads: one photo, the selected ones or all, as the saving options say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.errors import PhotoEnhanceError
from photoenhance_ui.request import SAVING_OPTIONS
from photoenhance_ui.server.service import files_of
from photoenhance_ui.ui.api import request_from
from photoenhance_ui.ui.visits import Visits

SAVED = tuple(option.name for option in SAVING_OPTIONS)
"""The options that only say how a result is written."""


class DownloadHandlers:
    """What the download buttons give."""

    def __init__(self, visits: Visits) -> None:
        self._visits, self._service = visits, visits.service

    def save_photo(
        self, event: gr.EventData, token: str | None, request: gr.Request, *saved: Any
    ) -> str:
        """One photo's file, written as the saving options say."""
        batch, photo_id = self._visits.photo(event, token, request)
        return str(self._saved(batch, [photo_id], saved, request)[0])

    def zip_all(self, token: str | None, request: gr.Request, *saved: Any) -> str:
        """All finished photos in one ZIP, made here; gives its path."""
        batch = self._visits.batch(token, request)
        return self._zipped(batch, [] if batch is None else batch.ids, saved, request)

    def zip_selected(
        self, selected: list[str] | None, token: str | None, request: gr.Request, *saved: Any
    ) -> str:
        """The selected ones of them."""
        batch, ids = self._visits.batch(token, request), set(selected or ())
        chosen = [] if batch is None else [photo_id for photo_id in batch.ids if photo_id in ids]
        return self._zipped(batch, chosen, saved, request)

    def _zipped(
        self, batch: Batch | None, ids: Sequence[str], saved: Sequence[Any], request: gr.Request
    ) -> str:
        finished = [i for i in ids if batch is not None and batch.row(i).output is not None]
        if batch is None or not finished:
            raise self._visits.error("nothing_finished", request)
        paths = self._saved(batch, finished, saved, request)
        return str(files_of(batch).zipped(paths))

    def _saved(
        self, batch: Batch, ids: Sequence[str], saved: Sequence[Any], request: gr.Request
    ) -> list[Path]:
        """Files of finished photos, as the saving options say."""
        saving = request_from(SAVING_OPTIONS, saved).saving
        try:
            return [batch.results.saved_as(photo_id, saving) for photo_id in ids]
        except PhotoEnhanceError as error:
            raise self._visits.failure(error, request) from error
