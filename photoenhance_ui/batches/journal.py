"""What a batch was asked for and what became of it, on disk, so that it outlives the program.

A journal names its owner, and whoever knows a path may fetch a file of the batch's own folder; so
it lies in the server's state folder, under the name of the batch's folder. What is read is never
trusted: paths must lead to files of that batch, and a journal with anything odd in it is ignored.
"""

import asyncio
import json
import logging
import math
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from photoenhance_ui.batches.storage import BatchFolder, Workspace
from photoenhance_ui.events import Row, State
from photoenhance_ui.replacing import PARTS, replacing
from photoenhance_ui.request import Request

log = logging.getLogger(__name__)

VERSION = 1
MAX_BYTES = 10_000_000
INTERRUPTED = "The program ended before this photo was done. Retry it."
LOST = "The result is no longer there. Retry it."
_ID = re.compile(r"[0-9a-f]{32}")
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class JournalPhoto:
    """One photo's line."""

    id: str
    row: Row
    strengths: tuple[float, ...] | None
    """Those of its faces, where they were blended again."""


@dataclass(frozen=True)
class Record:
    """What a journal says."""

    owner: str
    began: float
    """Seconds since the epoch."""
    request: Request
    photos: tuple[JournalPhoto, ...]


class Journal:
    """The journal of one batch."""

    def __init__(self, path: Path, files: BatchFolder) -> None:
        self._path = path
        self._folder = files.folder

    def write(self, record: Record) -> None:
        """Put ``record`` in the place of what was written before, whole or not at all."""
        try:
            with replacing(self._path) as part:
                private = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(private, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
                    json.dump(_as_json(record, self._folder), file)
        except OSError as error:
            log.warning("journal_not_written reason=%s", type(error).__name__)

    def read(self) -> Record | None:
        """What was written; None where it is not there or not what was written."""
        try:
            if self._path.stat().st_size > MAX_BYTES:
                raise ValueError("too large")
            told = json.loads(self._path.read_text("utf-8"), parse_constant=_no_number)
            return _record(told, self._folder)
        except Exception as error:  # noqa: BLE001 - whatever is in a file, the program starts
            log.warning("journal_ignored reason=%s", type(error).__name__)
            return None

    def remove(self) -> None:
        """The batch is not to come back."""
        self._path.unlink(missing_ok=True)


class JournalKeeper:
    """Writes a batch's journal when there is news; thread-safe. Without a journal it does nothing.

    ``record`` gives what is to be written.
    """

    def __init__(self, journal: Journal | None, record: Callable[[], Record]) -> None:
        self._journal = journal
        self._record = record
        self._writing = threading.Lock()
        self._has_news = False

    def note_news(self) -> None:
        """Remember that something is to be written."""
        self._has_news = True

    async def write_news(self) -> None:
        """Write where there is news, without holding up the loop."""
        if self._has_news and self._journal is not None:
            self._has_news = False
            await asyncio.to_thread(self.write)

    def write(self) -> None:
        """Write now. Blocks."""
        with self._writing:
            if self._journal is not None:
                self._journal.write(self._record())

    def discard(self) -> None:
        """Remove the journal, for good."""
        with self._writing:
            journal, self._journal = self._journal, None
            if journal is not None:
                journal.remove()


class Journals:
    """All journals of one server."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "journals"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in self._folder.glob(PARTS):  # a program was killed while it wrote
            part.unlink(missing_ok=True)

    def of(self, files: BatchFolder) -> Journal:
        """The journal of the batch with that folder, written already or not."""
        return Journal(self._folder / f"{files.folder.name}.json", files)

    def left_in(self, workspace: Workspace) -> list[tuple[BatchFolder, Record]]:
        """The batches that an earlier server left, with what is told of them; the oldest first."""
        folders = [workspace.left_batch(name) for name in self._names() if workspace.holds(name)]
        read = ((files, self.of(files).read()) for files in folders)
        left = [(files, record) for files, record in read if record is not None]
        return sorted(left, key=lambda pair: pair[1].began)

    def sweep(self, workspace: Workspace) -> None:
        """Remove the journals of batches that are gone."""
        for name in self._names():
            if not workspace.holds(name):
                (self._folder / f"{name}.json").unlink(missing_ok=True)

    def _names(self) -> list[str]:
        return [path.stem for path in self._folder.glob("*.json") if _ID.fullmatch(path.stem)]


def _as_json(record: Record, folder: Path) -> dict[str, Any]:
    return {
        "version": VERSION,
        "owner": record.owner,
        "began": record.began,
        "request": record.request.as_options(),
        "photos": [
            {
                "id": photo.id,
                "row": photo.row.as_json() | {"output": _relative(photo.row.output, folder)},
                "strengths": photo.strengths,
            }
            for photo in record.photos
        ],
    }


def _relative(output: str | None, folder: Path) -> str | None:
    return None if output is None else str(Path(output).relative_to(folder))


def _record(told: Any, folder: Path) -> Record:
    if told["version"] != VERSION:
        raise ValueError("another version")
    photos = tuple(_photo(photo, folder) for photo in told["photos"])
    if len({photo.id for photo in photos}) != len(photos):
        raise ValueError("a photo is told twice")
    request = Request.from_options(told["request"])
    return Record(_a(str, told["owner"]), _number(told["began"]), request, photos)


def _photo(told: Any, folder: Path) -> JournalPhoto:
    photo_id = _a(str, told["id"])
    if not _ID.fullmatch(photo_id):
        raise ValueError("no id of ours")
    strengths = told["strengths"]
    if strengths is not None:
        strengths = tuple(_number(strength) for strength in _a(list, strengths))
        if not all(0 <= strength <= 1 for strength in strengths):
            raise ValueError("no strength")
    return JournalPhoto(photo_id, _row(told["row"], folder), strengths)


def _row(told: Mapping[str, Any], folder: Path) -> Row:
    """The row as it is now: what was unfinished was cancelled by the program's end."""
    name, state = _a(str, told["name"]), State(told["state"])
    if state is State.DONE:
        output = _file_in(folder, _a(str, told["output"]))
        if output is None:
            return Row(name, State.CANCELLED, code="cancelled", reason=LOST)
        return _done_row(told, name, output)
    if state.settled:
        return Row(name, state, code=_a(str, told["code"]), reason=_a(str, told["reason"]))
    return Row(name, State.CANCELLED, code="cancelled", reason=INTERRUPTED)


def _done_row(told: Mapping[str, Any], name: str, output: Path) -> Row:
    return Row(
        name,
        State.DONE,
        progress=1.0,
        width=_a(int, told["width"]),
        height=_a(int, told["height"]),
        faces=_a(int, told["faces"]),
        networks=_texts(told["networks"]),
        precision=_a(str, told["precision"]),
        seconds=_number(told["seconds"]),
        faithfulness_db=_number(told["faithfulness_db"]),
        warnings=_texts(told["warnings"]),
        output=str(output),
    )


def _file_in(folder: Path, told: str) -> Path | None:
    """The result at that place in the batch's folder; ValueError where it lies elsewhere."""
    path = (folder / told).resolve()
    if not path.is_relative_to((folder / "out").resolve()):
        raise ValueError("no result of this batch")
    return folder / told if path.is_file() else None


def _a(kind: type[_Kind], value: Any) -> _Kind:
    if type(value) is not kind:  # a bool is no int here
        raise TypeError(f"no {kind.__name__}")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError("no number")
    return float(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_a(str, text) for text in _a(list, value))


def _no_number(word: str) -> float:
    raise ValueError(word)
