"""The handlers of the options: what a preset fills in, and which values there are now."""

from typing import Any

import gradio as gr

from photoenhance_ui.options import flat
from photoenhance_ui.request import OPTIONS, preset_options
from photoenhance_ui.ui.download_handlers import SAVED
from photoenhance_ui.ui.options import upscaler_choices
from photoenhance_ui.ui.visits import Visits


class OptionHandlers:
    """What fills in the options of the page."""

    def __init__(self, visits: Visits) -> None:
        self._visits, self._service = visits, visits.service

    def upscalers(self, request: gr.Request) -> gr.Dropdown:
        """The choice of networks, as installed now."""
        facts = self._service.engine.facts()
        return gr.Dropdown(choices=upscaler_choices(facts, self._visits.say(request)))

    def preset(self, name: str) -> list[Any]:
        """Fill the options in, all but those that only say how a result is written."""
        filled = preset_options(name, self._service.engine.facts().upscalers)
        return [filled[option.name] for option in OPTIONS if option.name not in SAVED]

    def saving(self, token: str | None, request: gr.Request) -> list[Any]:
        """The saving options as those of the owner's batch, so that a download changes nothing."""
        batch = self._visits.batch(token, request)
        if batch is None:
            return [gr.skip() for _ in SAVED]
        return list(flat(batch.request.saving).values())
