"""A stream of answers of which each holds what is new, and the one that ends the call holds all.

Gradio repeats a generator's last value in the message that ends the call. Who wants all in that
message would have to yield all before, and ``gradio_client`` would download every file once more.
"""

from typing import Any, NamedTuple

import gradio as gr
from gradio.block_function import BlockFunction


class Whole(NamedTuple):
    """Yielded last by a generator: sent once, with the message that ends the call."""

    gallery: list[str]
    report: list[dict[str, Any]]


class Answering(gr.Blocks):
    """Blocks that know ``Whole``; where a Gradio does not ask them, it is a value like any."""

    def get_block_name(self) -> str:
        """What the front end knows it by."""
        return "blocks"

    async def call_function(self, *given: Any, **named: Any) -> dict[str, Any]:
        """The next value of a handler; after ``Whole`` it is at its end."""
        called: dict[str, Any] = await super().call_function(*given, **named)
        if isinstance(called["prediction"], Whole):
            await called["iterator"].aclose()
            called |= {"is_generating": False, "iterator": None}
        return called

    def handle_streaming_diffs(  # noqa: PLR0917 - as Gradio has it
        self,
        block_fn: BlockFunction,
        data: list[Any],
        session_hash: str | None,
        run: str | None,
        final: bool,
        simple_format: bool = False,
    ) -> list[Any]:
        """What is sent of a value: at the end the value itself, where there is one."""
        whole = list(data)
        sent: list[Any] = super().handle_streaming_diffs(
            block_fn, data, session_hash, run, final, simple_format
        )
        return whole if final and None not in whole else sent
