"""What an engine offers to batches and doors; it says nothing of how or where it computes.

The engine of this process is in ``engine``. Whatever crosses here is a value that pickles, so that
another process or machine can offer the same.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from photoenhance_ui.events import Cancelled, Event, Failed, Rendered
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline.enhancer import Enhanced
from photoenhance_ui.pipeline.plan import Choice, EngineFacts
from photoenhance_ui.request import Request
from photoenhance_ui.weights.inventory import Inventory

LAST_EVENTS = (Rendered, Failed, Cancelled)
"""One of these ends the events of every photo."""


@dataclass(frozen=True, eq=False)
class Unblended:
    """The parts of what Rendered shows next, for a caller who keeps them."""

    enhanced: Enhanced


EngineEvent = Event | Unblended


@dataclass(frozen=True)
class QueueLength:
    """How many photos an engine has at this moment."""

    working: int = 0
    waiting: int = 0
    """They wait for their turn, or until their networks are ready."""


class Engine(Protocol):
    """Enhances photos of many owners, in turns. Thread-safe: any thread may call anything."""

    def enhance(
        self,
        request_id: str,
        owner: str,
        photo: Photo,
        request: Request,
        choice: Choice,
        *,
        drafts: bool = False,
        keeps: bool = False,
    ) -> Generator[EngineEvent, None, None]:
        """Enhance one photo; blocks between events.

        ``request_id`` is any text that no other photo has; ``cancel`` takes it. With ``drafts`` a
        DraftRendered comes before the final where that costs little, with ``keeps`` the final's
        parts come before it as Unblended. The last event is Rendered, Failed or Cancelled; nothing
        is raised. Closing the iterator before that cancels the photo.
        """
        ...

    def cancel(self, request_id: str) -> None:
        """Stop a photo: at once where it waits, after the current step where it is worked on."""
        ...

    def choose(self, upscaler: str, scale: float) -> Choice:
        """Settle which networks serve a request and load them: what ``auto`` means; a name stays.

        At the start it waits until the network files are known.
        """
        ...

    def facts(self, *, wait: bool = False) -> EngineFacts:
        """What is installed and what the engine can do; it changes only when networks do.

        At the start the network files are still being looked through: then it gives what is known
        so far, or with ``wait`` everything, later.
        """
        ...

    def queue(self) -> QueueLength:
        """How many photos there are at this moment."""
        ...

    def inventory(self) -> Inventory:
        """The network files as they were last looked through: those in use, and those refused."""
        ...

    def networks_arrived(self) -> None:
        """Look for new network files, load them, and use them from the next batch on. Blocks."""
        ...

    def close(self) -> None:
        """Stop; photos that wait or are worked on fail with EngineStopped."""
        ...
