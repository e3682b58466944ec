"""Where Gradio keeps who has logged in: a table of tokens, which it also gives to cookies."""

from collections.abc import Mapping

from gradio.routes import App


class GradioLogins:
    """The ``LoginStore`` of a Gradio app."""

    def __init__(self, app: App) -> None:
        self._app = app

    def person_of(self, cookies: Mapping[str, str]) -> str | None:
        """Who has logged in with one of these cookies; None where nobody has."""
        known = self._app.tokens
        tokens = (cookies.get(name, "") for name in self._cookie_names)
        return next((known[token] for token in tokens if token in known), None)

    def log_in(self, token: str, person: str) -> str:
        """Let the token count as this person's login; gives the cookie ``NAME=TOKEN``."""
        self._app.tokens[token] = person
        return f"{self._cookie_names[0]}={token}"

    def log_out(self, cookies: Mapping[str, str]) -> None:
        """End the logins of these cookies."""
        for name in self._cookie_names:
            self._app.tokens.pop(cookies.get(name, ""), None)

    @property
    def _cookie_names(self) -> tuple[str, str]:
        """Those of Gradio, for https and for http."""
        return f"access-token-{self._app.cookie_id}", f"access-token-unsecure-{self._app.cookie_id}"
