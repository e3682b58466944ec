"""The photos of a batch as it keeps them, in the order given."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from photoenhance_ui.events import Event, Failed, Row
from photoenhance_ui.geometry import Region, Size


@dataclass(frozen=True)
class Change:
    """Something happened to one photo: the event, and the row it made."""

    photo_id: str
    row: Row
    event: Event


@dataclass(eq=False)
class Entry:
    """One photo of a batch. Until it is settled, the batch's run alone changes its row."""

    id: str
    name: str
    row: Row
    original: Path | None = None
    """The input as it was taken in; None until then, and where it was refused."""
    refusal: Failed | None = None
    size: Size | None = None
    """As it is stored; None until somebody asked."""
    attempt: int = 0
    """Counts retries, so that events of an abandoned attempt are told apart."""
    strengths: tuple[float, ...] | None = None
    """Those of its faces; None until they are blended again."""
    boxes: tuple[Region, ...] | None = None
    outdated: Path | None = None
    """The result before the one that is shown: somebody may still be looking at it."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Whether this attempt is cancelled."""


class Entries:
    """All photos of one batch. They are only added to; any thread may look."""

    def __init__(self) -> None:
        self._by_id: dict[str, Entry] = {}
        self.lock = threading.Lock()
        """Held by who adds, and by who ends a run because there is nothing left."""

    def put(self, entry: Entry) -> None:
        """Add a photo behind the others."""
        self._by_id[entry.id] = entry

    def __getitem__(self, photo_id: str) -> Entry:
        return self._by_id[photo_id]

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def ids(self) -> list[str]:
        """The photos in the order given."""
        return list(self._by_id)

    @property
    def settled(self) -> bool:
        """True where no photo waits or is being worked on."""
        return all(entry.row.state.settled for entry in self)

    def chosen(self, photo_id: str | None) -> list[Entry]:
        """One photo, or all of them."""
        return list(self) if photo_id is None else [self[photo_id]]
