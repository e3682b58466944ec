"""How long a batch still takes, learned from its finished photos."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from photoenhance_ui.batches.entries import Entry
from photoenhance_ui.errors import PhotoRefused
from photoenhance_ui.events import State
from photoenhance_ui.geometry import Size
from photoenhance_ui.images.codec import Limits, probe
from photoenhance_ui.pipeline.plan import FACE_OPERATIONS, Choice, EngineFacts, operations
from photoenhance_ui.request import Faces, Request


@dataclass(frozen=True)
class Spent:
    """A finished photo: its background's multiply-adds, its restored faces, what it took."""

    background: float
    faces: int
    seconds: float


@dataclass(frozen=True)
class Ahead:
    """A photo that waits or is worked on."""

    background: float
    faces: int | None = None
    """None until they are counted."""
    share: float = 1.0
    """The share of its work that is still to be done, 0 to 1."""


def seconds_left(finished: Sequence[Spent], ahead: Sequence[Ahead]) -> float | None:
    """Seconds for all that is ahead; None before anything is finished, 0 where nothing is ahead.

    An operation takes what it took on average; where faces are not counted yet, as many are
    expected as the finished photos had. Photos of other people in between are not known.
    """
    if not ahead:
        return 0.0
    done = sum(photo.background + photo.faces * FACE_OPERATIONS for photo in finished)
    seconds = sum(photo.seconds for photo in finished)
    if done <= 0 or seconds <= 0:
        return None
    usual_faces = sum(photo.faces for photo in finished) / len(finished)
    left = sum(
        photo.share
        * (
            photo.background
            + (usual_faces if photo.faces is None else photo.faces) * FACE_OPERATIONS
        )
        for photo in ahead
    )
    return left * seconds / done


def eta_seconds(
    entries: Iterable[Entry], request: Request, choice: Choice, facts: EngineFacts, limits: Limits
) -> float | None:
    """Seconds until all photos are done; None before one is, 0 where all are settled.

    Reads the header of each photo once.
    """
    without_faces = replace(request, faces=Faces.NONE)
    finished, ahead = [], []
    for entry in entries:
        row = entry.row
        if row.state in (State.FAILED, State.CANCELLED):
            continue
        size = _size_of(entry, limits)
        if size is None:
            continue
        background = operations(size, choice, without_faces, facts)
        if not row.state.settled:
            ahead.append(Ahead(background, row.faces, 1 - row.progress))
        elif row.seconds is not None:
            finished.append(Spent(background, row.faces or 0, row.seconds))
    return seconds_left(finished, ahead)


def _size_of(entry: Entry, limits: Limits) -> Size | None:
    """The size of the photo from its header; None where it cannot be read."""
    if entry.size is None and entry.original is not None:
        with suppress(PhotoRefused, OSError):
            entry.size = probe(entry.original, limits)
    return entry.size
