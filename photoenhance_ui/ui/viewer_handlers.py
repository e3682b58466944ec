"""The handlers of the viewer: one photo beside its original, and its faces blended anew."""

from typing import Any

import gradio as gr

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.errors import PhotoEnhanceError
from photoenhance_ui.ui.batch_handlers import BatchHandlers, Updates
from photoenhance_ui.ui.html import file_address
from photoenhance_ui.ui.viewer import viewer_value
from photoenhance_ui.ui.visits import Visits, event_value


class ViewerHandlers:
    """What a person asks for in the viewer."""

    def __init__(self, visits: Visits, batches: BatchHandlers) -> None:
        self._visits, self._service, self._batches = visits, visits.service, batches

    def open_photo(
        self, event: gr.EventData, token: str | None, request: gr.Request
    ) -> dict[str, Any]:
        """A finished photo beside its original, for the viewer."""
        batch, photo_id = self._visits.photo(event, token, request)
        return self._viewer_value(batch, photo_id, event, request)

    def map_photo(
        self, event: gr.EventData, token: str | None, request: gr.Request
    ) -> dict[str, Any]:
        """The same, with the picture of where it differs from its original."""
        batch, photo_id = self._visits.photo(event, token, request)
        shown = self._viewer_value(batch, photo_id, event, request)
        try:
            return {**shown, "map": file_address(batch.results.difference(photo_id))}
        except PhotoEnhanceError as error:
            return {**shown, "message": self._visits.reason(error, request)}

    def blend_photo(self, event: gr.EventData, token: str | None, request: gr.Request) -> Updates:
        """Blend the faces anew, each with its strength; gives the viewer, then the whole view."""
        batch, photo_id = self._visits.photo(event, token, request)
        strengths = event_value(event, "strengths")
        if not _are_shares(strengths):
            raise self._visits.error("gone", request)
        message = ""
        try:
            batch.results.blend_again(photo_id, strengths)
        except PhotoEnhanceError as error:
            message = self._visits.reason(error, request)
        shown = self._viewer_value(batch, photo_id, event, request)
        return {**shown, "message": message}, *self._batches.updates_of(
            batch, self._visits.say(request)
        )

    def _viewer_value(
        self, batch: Batch, photo_id: str, event: gr.EventData, request: gr.Request
    ) -> dict[str, Any]:
        given = event_value(event, "request_id")
        request_id = given if isinstance(given, int) else 0
        say = self._visits.say(request)
        return viewer_value(batch, photo_id, request_id, self._service.settings, say)


def _are_shares(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int | float) and 0 <= value <= 1 for value in values
    )
