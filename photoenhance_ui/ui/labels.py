"""Components whose texts follow the language that a person reads."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from photoenhance_ui.ui.texts import ENGLISH, Texts

Reads = Callable[[Texts], dict[str, Any]]
"""The properties of a component that are texts, in a language."""


class Labels:
    """Every such component of a page, with how it reads."""

    def __init__(self) -> None:
        self._parts: list[tuple[Any, Reads]] = []

    def make(self, kind: Callable[..., Any], reads: Reads, **properties: Any) -> Any:
        """A component that reads English until it is told otherwise."""
        component = kind(**reads(ENGLISH), **properties)
        self._parts.append((component, reads))
        return component

    @property
    def components(self) -> list[Any]:
        """In the order in which updates come."""
        return [component for component, _ in self._parts]

    def updates(self, say: Texts) -> list[Any]:
        """What changes on the page when it is read in that language."""
        return [gr.update(**reads(say)) for _, reads in self._parts]
