"""Who looks at the page: their language, their photos, and how errors are shown to them."""

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.errors import PhotoEnhanceError
from photoenhance_ui.server.service import Service
from photoenhance_ui.ui.texts import Language, Texts, preferred, texts_in

MAX_LANGUAGES = 2000
"""Sessions whose language is remembered; older ones read what their browser asks for."""


@dataclass(eq=False)
class Visits:
    """What the handlers know of a visitor: nothing is held but the language of a session."""

    service: Service
    _languages: dict[str, Language] = field(default_factory=dict)

    def greet(self, token: str | None, kept: str | None, request: gr.Request) -> tuple[str, str]:
        """A page opens: gives a token to a browser that has none, and its language."""
        owners = self.service.owners
        known = token if token is not None and owners.knows(token) else owners.new_token()
        return known, self.speak(kept or _accepted(request), request)

    def speak(self, language: str, request: gr.Request) -> str:
        """From now on the session reads this language."""
        spoken = texts_in(language).language
        self._languages.pop(request.session_hash or "", None)
        self._languages[request.session_hash or ""] = spoken
        while len(self._languages) > MAX_LANGUAGES:
            self._languages.pop(next(iter(self._languages)), None)
        return spoken.value

    def leave(self, request: gr.Request) -> None:
        """The tab was closed."""
        self.service.streams.cancel(request.session_hash)
        self._languages.pop(request.session_hash or "", None)

    def say(self, request: gr.Request) -> Texts:
        """The texts in the session's language."""
        return texts_in(self._languages.get(request.session_hash or "", _accepted(request)))

    def owner(self, token: str | None, request: gr.Request) -> str:
        """Whose photos the page shows."""
        return self.service.owners.owner(self.service.person(request.username), token)

    def is_known(self, token: str | None, request: gr.Request) -> bool:
        """Whether the page belongs to somebody who will find their photos again."""
        return bool(self.service.person(request.username)) or self.service.owners.knows(token)

    def batch(self, token: str | None, request: gr.Request) -> Batch | None:
        """The owner's current batch; None where there is none."""
        return self.service.batches.current(self.owner(token, request))

    def photo(
        self, event: gr.EventData, token: str | None, request: gr.Request
    ) -> tuple[Batch, str]:
        """The owner's photo that an event names; ``gr.Error`` where it is not there."""
        batch, photo_id = self.batch(token, request), event_value(event, "photo")
        if batch is None or photo_id not in batch.ids:
            raise self.error("gone", request)
        return batch, photo_id

    def error(self, key: str, request: gr.Request, **values: object) -> gr.Error:
        """A text of the page as an error, to be raised."""
        say = self.say(request)
        return gr.Error(say(key, **values), title=say("error"), print_exception=False)

    def failure(self, error: PhotoEnhanceError, request: gr.Request) -> gr.Error:
        """One of our errors as the page tells it, to be raised."""
        reason = self.reason(error, request)
        return gr.Error(reason, title=self.say(request)("error"), print_exception=False)

    def reason(self, error: PhotoEnhanceError, request: gr.Request) -> str:
        """What one of our errors says in the session's language."""
        return self.say(request).reason(error.code, error.sentence)


def event_value(event: gr.EventData, name: str) -> Any:
    """A value of an event; it comes from a browser, so it may be anything."""
    data = event._data
    return data.get(name) if isinstance(data, dict) else None


def _accepted(request: gr.Request) -> Language:
    """What the browser asks for."""
    return preferred(dict(request.headers).get("accept-language"))
