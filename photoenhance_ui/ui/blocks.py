"""A stream of answers of which each holds what is new, and the one that ends the call holds all.

Gradio repeats a generator's last value in the message that ends the call. Who wants all in that
message would have to yield all before, and ``gradio_client`` would download every file once more.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState

from photoenhance_ui.errors import QUOTED_CHARACTERS
from photoenhance_ui.server.asgi import address_of
from photoenhance_ui.server.calls import Endpoint
from photoenhance_ui.ui.texts import ENGLISH
from photoenhance_ui.ui.uploads import refuse_addresses

log = logging.getLogger(__name__)
IDLE_S = 600.0
MAX_SENTENCE_CHARACTERS = 4 * QUOTED_CHARACTERS


class FinalAnswer(NamedTuple):
    """Yielded last by a generator: sent once, with the message that ends the call."""

    gallery: list[str]
    report: list[dict[str, Any]]


class PageBlocks(gr.Blocks):
    """Blocks that end a call with a ``FinalAnswer``; to other Blocks it is a value like any."""

    _idle: frozenset[str] = frozenset()
    _next_look: float = 0.0

    def forget_idle(self, now: float) -> None:
        """Forget what idle sessions have not read; ``now`` in seconds of a clock that never halts.

        It looks once in ``IDLE_S``: a session is idle where nothing of it runs at this look, nor
        did at the last. Gradio keeps the messages of 2,000 sessions, and their names for ever.
        """
        if now < self._next_look:
            return
        self._next_look = now + IDLE_S
        queue = self._queue
        known = {*queue.pending_event_ids_session, *queue.pending_messages_per_session}
        idle = known - {event.session_hash for event in queue.event_ids_to_events.values()}
        for session in idle & self._idle:
            queue.pending_event_ids_session.pop(session, None)
            queue.pending_messages_per_session.pop(session, None)
        self._idle = frozenset(idle)

    def calls_waiting(self) -> frozenset[str]:
        """The numbers of the calls that wait for their handler or are in it."""
        return frozenset(self._queue.event_ids_to_events)

    def calls_waiting_at(self, address: str) -> int:
        """How many of them were sent from that address."""
        waiting = list(self._queue.event_ids_to_events.values())
        return sum(address_of(event.request.scope) == address for event in waiting)

    def knows_call(self, event_id: str) -> bool:
        """Whether somebody may still ask how this call went."""
        pending = self._queue.pending_event_ids_session
        return (
            event_id in self._queue.event_ids_to_events
            or event_id in pending.get(event_id, ())
            or any(event_id in ids for ids in list(pending.values()))
        )

    def inputs_of_event(self, number: object) -> int | None:
        """How many values the event of that number takes; None where there is none."""
        event = self.fns.get(number) if isinstance(number, int) else None
        return None if event is None or event.fn is None else len(event.inputs)

    def endpoints(self) -> Mapping[str, Endpoint]:
        """Every named endpoint, by its name without the slash."""
        info: Any = self.get_api_info()
        return {
            name.removeprefix("/"): _endpoint(name, about["parameters"])
            for name, about in info["named_endpoints"].items()
        }

    def get_block_name(self) -> str:
        """What the front end knows it by."""
        return "blocks"

    async def preprocess_data(
        self,
        block_fn: BlockFunction,
        inputs: list[Any],
        state: SessionState | None,
        explicit_call: bool = False,
    ) -> list[Any]:
        """What a handler is given; what a client got wrong is one sentence, and no traceback."""
        try:
            refuse_addresses(inputs)
            given: list[Any] = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error as error:
            sentence = error.message[:MAX_SENTENCE_CHARACTERS]
            raise gr.Error(sentence, title=error.title, print_exception=False) from error
        except Exception as error:
            log.info("call_refused event=%s reason=%s", block_fn.api_name, type(error).__name__)
            raise gr.Error(ENGLISH("not_valid"), print_exception=False) from error
        return given

    async def call_function(self, *given: Any, **named: Any) -> dict[str, Any]:
        """The next value of a handler; after a ``FinalAnswer`` it is at its end."""
        called: dict[str, Any] = await super().call_function(*given, **named)
        if isinstance(called["prediction"], FinalAnswer):
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


def _endpoint(name: str, parameters: Sequence[Mapping[str, Any]]) -> Endpoint:
    names = tuple(one["parameter_name"] for one in parameters)
    needed = tuple(one["parameter_name"] for one in parameters if not one["parameter_has_default"])
    return Endpoint(name, names, needed)
