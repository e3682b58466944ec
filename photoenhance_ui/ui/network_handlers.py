"""The handlers of networks: which are in use, which there are, and how more of them come."""

from pathlib import Path
from typing import Any

import gradio as gr

from photoenhance_ui.catalogue import CATALOGUE
from photoenhance_ui.names import plain_name
from photoenhance_ui.server.manage import NetworkRefused, install_network, may_manage
from photoenhance_ui.ui.networks_view import banner_html, networks_html
from photoenhance_ui.ui.visits import Visits, event_value


class NetworkHandlers:
    """What the page shows of networks, and how new ones are installed."""

    def __init__(self, visits: Visits) -> None:
        self._visits, self._service = visits, visits.service

    def banner(self, request: gr.Request) -> str:
        """The networks in use and on their way."""
        engine, downloads = self._service.engine, self._service.downloads.states
        return banner_html(engine.facts(), engine.queue(), downloads, self._visits.say(request))

    def table(self, request: gr.Request) -> str:
        """The table of networks."""
        settings, downloads = self._service.settings, self._service.downloads.states
        downloadable = may_manage(settings, dict(request.headers)) and not settings.offline
        models: Any = self._service.models()["models"]
        return networks_html(
            models, downloads, self._visits.say(request), downloadable=downloadable
        )

    def hint(self, request: gr.Request) -> tuple[Any, Any]:
        """The field for a file of one's own, and what is to be said beside it."""
        settings, say = self._service.settings, self._visits.say(request)
        allowed = may_manage(settings, dict(request.headers))
        lines = [say("networks.own.hint") if allowed else say("networks.not_allowed")]
        lines += [say("networks.offline")] if allowed and settings.offline else []
        return gr.File(visible=allowed), " ".join(lines)

    def fetch(self, event: gr.EventData, request: gr.Request) -> str:
        """Begin to download a network of the catalogue."""
        settings = self._service.settings
        if settings.offline or not may_manage(settings, dict(request.headers)):
            raise self._visits.error("networks.not_allowed", request)
        wanted = next((file for file in CATALOGUE if file.name == event_value(event, "name")), None)
        if wanted is None or not wanted.runs:
            raise self._visits.error("networks.absent", request)
        self._service.downloads.start([wanted])
        return self.table(request)

    def install_file(self, file: str | None, request: gr.Request) -> tuple[None, str]:
        """A file of one's own was dropped in: it is put to use, or refused with a reason."""
        say = self._visits.say(request)
        if not may_manage(self._service.settings, dict(request.headers)):
            raise self._visits.error("networks.not_allowed", request)
        if file is not None:
            name = plain_name(Path(file).name)
            try:
                installed = install_network(self._service, Path(file))
                gr.Info(say("networks.own.taken", name=installed), title=say("info"))
            except NetworkRefused as refusal:
                reason = say.reason(refusal.code, refusal.sentence)
                gr.Warning(
                    say("networks.own.refused", name=name, reason=reason), title=say("error")
                )
        return None, self.table(request)
