"""What happens to one photo, as values; and the report row that they add up to.

The engine yields ``Queued … Rendered`` or ``Failed``/``Cancelled``; the batch turns
``Rendered`` (pixels) into ``Finished`` (a written file), and ``DraftRendered`` into ``Drafted``.
Every event pickles.
"""

import logging
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from photoenhance_ui.errors import UnexpectedFailure, as_photoenhance_error
from photoenhance_ui.geometry import Size
from photoenhance_ui.photo import Photo
from photoenhance_ui.traces import trace_of


class State(StrEnum):
    """Where a photo stands."""

    QUEUED = "queued"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def settled(self) -> bool:
        """True where nothing more will happen by itself."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


class Stage(StrEnum):
    """What is being done to a photo that is being worked on."""

    READING = "reading"
    WAITING = "waiting"
    PREPARING = "preparing"
    FINDING_FACES = "finding faces"
    RESTORING_FACES = "restoring faces"
    ENLARGING = "enlarging"
    BLENDING = "blending"
    WRITING = "writing"


@dataclass(frozen=True)
class Queued:
    """The photo waits for its turn."""


@dataclass(frozen=True)
class Started:
    """Work on the photo began; ``networks`` are those of its plan."""

    networks: tuple[str, ...]
    precision: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FacesFound:
    """So many faces were found and will be restored."""

    count: int


@dataclass(frozen=True, eq=False)
class DraftRendered:
    """The pixels of a quick first version, at most as large as a screen; the batch writes them."""

    photo: Photo


@dataclass(frozen=True)
class Drafted:
    """A quick first version lies at ``path``."""

    path: str


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` steps (tiles and faces, counted) are behind us."""

    stage: Stage
    done: int = 0
    total: int = 0


@dataclass(frozen=True, eq=False)
class Rendered:
    """The engine's last word on a photo: the enhanced pixels and how they came about."""

    photo: Photo
    networks: tuple[str, ...]
    precision: str
    faces: int
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    """What the engine worked on it; of a batch with others' pictures, its own pictures' share."""


@dataclass(frozen=True)
class Finished:
    """The enhanced photo lies at ``output``, whole."""

    output: str
    size: Size
    networks: tuple[str, ...]
    precision: str
    faces: int
    seconds: float
    faithfulness_db: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """The photo could not be enhanced: a stable code and a plain sentence."""

    code: str
    reason: str


@dataclass(frozen=True)
class Cancelled:
    """Somebody asked to stop."""


Event = (
    Queued
    | Started
    | FacesFound
    | DraftRendered
    | Drafted
    | Progress
    | Rendered
    | Finished
    | Failed
    | Cancelled
)


@dataclass(frozen=True)
class Row:
    """One photo's line of the report. The field names are promised to scripts."""

    name: str
    state: State = State.QUEUED
    code: str | None = None
    reason: str | None = None
    stage: Stage | None = None
    progress: float = 0.0
    width: int | None = None
    height: int | None = None
    faces: int | None = None
    networks: tuple[str, ...] = ()
    precision: str | None = None
    seconds: float | None = None
    faithfulness_db: float | None = None
    warnings: tuple[str, ...] = ()
    draft: str | None = None
    output: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The row as plain JSON values."""
        return {
            **asdict(self),
            "state": self.state.value,
            "stage": self.stage and self.stage.value,
            "networks": list(self.networks),
            "warnings": list(self.warnings),
        }


def row_after(row: Row, event: Event) -> Row:
    """The row once ``event`` has happened. Pure: the whole report is a fold over events."""
    match event:
        case Queued():
            return Row(name=row.name, stage=Stage.WAITING)
        case Started(networks, precision, warnings):
            return replace(
                row, state=State.WORKING, networks=networks, precision=precision, warnings=warnings
            )
        case FacesFound(count):
            return replace(row, faces=count)
        case DraftRendered():
            return row
        case Drafted(path):
            return replace(row, draft=path)
        case Progress(stage, done, total):
            share = done / total if total else row.progress
            return replace(
                row, state=State.WORKING, stage=stage, progress=max(row.progress, round(share, 4))
            )
        case Rendered():
            return replace(row, state=State.WORKING, stage=Stage.WRITING)
        case Finished():
            return replace(
                row,
                state=State.DONE,
                stage=None,
                progress=1.0,
                width=event.size.width,
                height=event.size.height,
                faces=event.faces,
                networks=event.networks,
                precision=event.precision,
                seconds=event.seconds,
                faithfulness_db=event.faithfulness_db,
                warnings=event.warnings,
                output=event.output,
            )
        case Failed(code, reason):
            return replace(row, state=State.FAILED, stage=None, code=code, reason=reason)
        case Cancelled():
            return replace(
                row, state=State.CANCELLED, stage=None, code="cancelled", reason="It was cancelled."
            )


def failed_by(error: BaseException, log: logging.Logger, subject: str) -> Failed:
    """The event for ``error``; the log tells where it arose where nobody foresaw it."""
    failure = as_photoenhance_error(error)
    if isinstance(failure, UnexpectedFailure):
        log.error("photo_failed %s code=%s %s", subject, failure.code, trace_of(error))
    else:
        log.info("photo_failed %s code=%s", subject, failure.code)
    return Failed(failure.code, failure.sentence)
