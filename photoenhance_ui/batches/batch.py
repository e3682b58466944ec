"""Many files of one owner -> a stream of changes; each photo fails, waits and is cancelled alone.

A Batch is open-ended: photos may be added, cancelled and retried while it runs. The work is
driven by whoever reads ``changes``: nothing runs unread, and a reader that goes away cancels
what it was waiting for.
"""

import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

from photoenhance_ui.batches.batch_run import BatchRun
from photoenhance_ui.batches.entries import Change, Entries, Entry
from photoenhance_ui.batches.eta import eta_seconds
from photoenhance_ui.batches.face_layers import FaceLayers
from photoenhance_ui.batches.journal import Journal, JournalKeeper, JournalPhoto, Record
from photoenhance_ui.batches.photo_run import NetworkChoice, PhotoRun
from photoenhance_ui.batches.results import Results
from photoenhance_ui.batches.storage import BatchFiles
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.errors import SideFile, TooManyPhotos
from photoenhance_ui.events import Queued, Row, Stage, State, failed_by, row_after
from photoenhance_ui.images.codec import Limits, check_bytes
from photoenhance_ui.names import is_side_file, plain_name
from photoenhance_ui.request import Request
from photoenhance_ui.settings import Settings

log = logging.getLogger(__name__)


class Batch:
    """One owner's photos with one Request; ``auto`` is settled once, with the first photo.

    Not tied to an event loop: photos may be added, cancelled and retried from any thread; one
    reader at a time runs the batch by iterating over ``changes``. With ``drafts`` a photo's
    draft is written before its final, where that costs little; in ``layers`` lies what blending
    the faces anew needs; with a ``journal`` the batch can be restored after the program's end.
    """

    def __init__(
        self,
        engine: Engine,
        owner: str,
        request: Request,
        files: BatchFiles,
        settings: Settings,
        *,
        drafts: bool = False,
        layers: FaceLayers | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.owner = owner
        self.request = request
        self.files = files
        self._engine = engine
        self._settings = settings
        self._began = time.time()
        self._entries = Entries()
        self._limits = Limits.of(settings)
        self._choice = NetworkChoice(engine, request)
        self._journal = JournalKeeper(journal, self._record)
        self._photo_run = PhotoRun(
            engine, owner, request, self._choice, files, self._limits, drafts, layers
        )
        self._run: BatchRun | None = None
        self.results = Results(
            self._entries, request, files, self._limits, layers=layers, journal=self._journal
        )

    def restore(self, record: Record, original: Callable[[str], Path | None]) -> None:
        """Take over what a record tells of this batch; nothing of it runs.

        ``original`` gives the input of a photo by its id, where it is still there.
        """
        self._began = record.began
        for photo in record.photos:
            entry = Entry(photo.id, photo.row.name, photo.row, original(photo.id))
            entry.strengths = photo.strengths
            self._entries.put(entry)

    # What is there

    @property
    def ids(self) -> list[str]:
        """The photos in the order given."""
        return self._entries.ids

    @property
    def rows(self) -> list[Row]:
        """The report: one row per photo, in the order given."""
        return [entry.row for entry in self._entries]

    @property
    def finished(self) -> list[Path]:
        """The results that are there, in the order given."""
        return [Path(row.output) for row in self.rows if row.output is not None]

    @property
    def settled(self) -> bool:
        """True where no photo waits or is being worked on."""
        return self._entries.settled

    @property
    def watched(self) -> bool:
        """True while somebody reads ``changes``."""
        return self._run is not None and not self._run.ended

    def accepts(self, request: Request, photos: int = 1) -> bool:
        """Whether so many more photos may join: always while it runs, whatever they ask for.

        Once it has ended: where a new batch would do the same, and this one has room and files.
        """
        if not self.settled:
            return True
        has_room = len(self._entries) + photos <= self._settings.max_photos
        is_same = request == self.request and self._choice.is_still(request)
        return is_same and has_room and self.files.exists()

    def row(self, photo_id: str) -> Row:
        """One photo's row."""
        return self._entries[photo_id].row

    def original(self, photo_id: str) -> Path | None:
        """The input as it was taken in; None where it could not be."""
        return self._entries[photo_id].original

    def eta_seconds(self) -> float | None:
        """Seconds until all is done, by what finished photos took; None before one is.

        0 where all is settled. Reads the header of each photo once.
        """
        return eta_seconds(
            self._entries, self.request, self._choice.likely(), self._engine.facts(), self._limits
        )

    # What a person can do

    def add(self, path: Path, name: str | None = None) -> str:
        """Take one more photo in, and give its id. A refused one fails when the batch runs."""
        photo_id, name = uuid.uuid4().hex, plain_name(name or path.name)
        entry = Entry(photo_id, name, Row(name, stage=Stage.WAITING))
        with self._entries.lock:
            is_one_too_many = len(self._entries) >= self._settings.max_photos
            self._entries.put(entry)
            self._journal.note_news()
        try:
            if is_one_too_many:
                raise TooManyPhotos(
                    f"A batch takes {self._settings.max_photos} photos. "
                    "Enhance this one in the next batch."
                )
            if is_side_file(name):
                raise SideFile("macOS and Windows write files of such names; this is no photo.")
            check_bytes(path, self._limits)
            entry.original = self.files.take(photo_id, path)
        except Exception as error:  # noqa: BLE001 - one odd file never refuses the others
            entry.refusal = failed_by(error, log, f"photo={photo_id}")
        self._wake_run()
        return photo_id

    def cancel(self, photo_id: str | None = None) -> None:
        """Cancel one photo, or all that are not settled; within one tile of work."""
        for entry in self._entries.chosen(photo_id):
            if not entry.row.state.settled:
                self._photo_run.cancel(entry)
        self._wake_run()

    def retry(self, photo_id: str | None = None) -> int:
        """Let one photo, or all that failed or were cancelled, wait again; gives how many.

        They run when ``changes`` is (still) being read.
        """
        again = [
            entry
            for entry in self._entries.chosen(photo_id)
            if entry.row.state in (State.FAILED, State.CANCELLED) and entry.original is not None
        ]
        for entry in again:
            entry.attempt += 1
            entry.strengths = entry.boxes = None
            entry.cancelled = threading.Event()
            entry.row = row_after(entry.row, Queued())
        self._wake_run()
        return len(again)

    def discard_journal(self) -> None:
        """Its owner has started over: it does not come back after the program's end."""
        self._journal.discard()

    async def changes(self) -> AsyncIterator[Change]:
        """Run the batch and tell what happens, until every photo is settled.

        At most ``in_flight`` photos are read, worked on or written at once. Only one reader at
        a time; another one ends at once. Closing this iterator cancels what is not settled.
        """
        with self._entries.lock:
            if self.watched:
                return
            self._run = BatchRun(
                self._entries, self._photo_run, self._journal, self._settings.in_flight
            )
        async with aclosing(self._run.changes()) as changes:
            async for change in changes:
                yield change

    def _wake_run(self) -> None:
        if self._run is not None:
            self._run.wake()

    def _record(self) -> Record:
        photos = (JournalPhoto(entry.id, entry.row, entry.strengths) for entry in self._entries)
        return Record(self.owner, self._began, self.request, tuple(photos))
