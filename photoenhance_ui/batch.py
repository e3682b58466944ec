"""Many files of one owner -> a stream of changes; each photo fails, waits and is cancelled alone.

A Batch is open-ended: photos may be added, cancelled and retried while it runs. The work is
driven by whoever reads ``changes``: nothing runs unread, and a reader that goes away cancels
what it was waiting for.
"""

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from photoenhance_ui.codec import Limits, check_bytes, preview, probe, read_photo
from photoenhance_ui.difference import faithfulness_db
from photoenhance_ui.drafts import DRAFT_PX
from photoenhance_ui.engine import Engine, Unblended
from photoenhance_ui.enhancer import Enhanced
from photoenhance_ui.errors import (
    PhotoMissing,
    PhotoRefused,
    SideFile,
    TooManyPhotos,
    as_photoenhance_error,
)
from photoenhance_ui.eta import Ahead, Spent, seconds_left
from photoenhance_ui.events import (
    Cancelled,
    Drafted,
    DraftRendered,
    Event,
    Failed,
    Finished,
    Progress,
    Queued,
    Rendered,
    Row,
    Stage,
    State,
    failed_by,
    row_after,
)
from photoenhance_ui.formats import is_lossless
from photoenhance_ui.geometry import Region, Size
from photoenhance_ui.journal import Journal, JournalPhoto, Record
from photoenhance_ui.kept import KeptFace, KeptParts
from photoenhance_ui.names import is_side_file, plain_name
from photoenhance_ui.photo import Photo
from photoenhance_ui.plan import Choice, choose_networks, operations
from photoenhance_ui.request import Faces, Request, Saving
from photoenhance_ui.results import (
    FinishedPhoto,
    remove_version,
    write_result,
)
from photoenhance_ui.settings import Settings
from photoenhance_ui.storage import BatchFolder, Shelf, plain_stem

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """Something happened to one photo: the event, and the row it made."""

    photo_id: str
    row: Row
    event: Event


@dataclass(eq=False)
class _Entry:
    """One photo of the batch. Until it is settled, the reader alone changes its row."""

    id: str
    name: str
    row: Row
    original: Path | None = None
    """The input as it was taken in; None until then, and where it was refused."""
    refusal: Failed | None = None
    size: Size | None = None
    """As it is stored; None until somebody asked."""
    attempt: int = 0
    strengths: tuple[float, ...] | None = None
    """Of its faces; None until they are blended again."""
    boxes: tuple[Region, ...] | None = None
    outdated: Path | None = None
    """The result before the one that is shown: somebody may still be looking at it."""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def job_id(self) -> str:
        """A retry is a new job, so that events of an abandoned attempt are told apart."""
        return f"{self.id}-{self.attempt}"


class _Stopwatch:
    """Seconds of work on a photo: reading, enhancing, writing; not its waiting for its turn."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._began: float | None = time.monotonic()

    def pause(self) -> None:
        self._spent, self._began = self.seconds, None

    def resume(self, worked: float) -> None:
        """Run again, after so many seconds of work that somebody else measured."""
        self._spent, self._began = self._spent + worked, time.monotonic()

    @property
    def seconds(self) -> float:
        running = 0.0 if self._began is None else time.monotonic() - self._began
        return self._spent + running


class Batch:
    """One owner's photos with one Request; ``auto`` is settled once, with the first photo.

    Not tied to an event loop: photos may be added, cancelled and retried from any thread; one
    reader at a time runs the batch by iterating over ``changes``. With ``drafts`` a photo's
    draft is written before its final, where that costs little; in ``kept`` lies what blending the
    faces anew needs; with a ``journal`` the batch can be restored after the program's end.
    """

    def __init__(
        self,
        engine: Engine,
        owner: str,
        request: Request,
        shelf: Shelf,
        settings: Settings,
        *,
        drafts: bool = False,
        kept: KeptParts | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.owner = owner
        self.request = request
        self.shelf = shelf
        self._engine = engine
        self._settings = settings
        self._drafts = drafts
        self._kept = kept
        self._journal = journal
        self._began = time.time()
        self._noting = threading.Lock()
        self._unnoted = False
        self._limits = Limits.of(settings)
        self._choice: Choice | None = None
        self._choosing = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()
        self._blending = threading.Lock()
        self._wake: Callable[[], None] | None = None

    @classmethod
    def restored(
        cls,
        record: Record,
        engine: Engine,
        shelf: BatchFolder,
        settings: Settings,
        *,
        drafts: bool = False,
        kept: KeptParts | None = None,
        journal: Journal | None = None,
    ) -> "Batch":
        """The batch that the record tells of, with its files; nothing of it runs."""
        batch = cls(
            engine, record.owner, record.request, shelf, settings,
            drafts=drafts, kept=kept, journal=journal,
        )  # fmt: skip
        batch._began = record.began
        for photo in record.photos:
            batch._entries[photo.id] = _Entry(
                photo.id,
                photo.row.name,
                photo.row,
                original=shelf.taken(photo.id),
                strengths=photo.strengths,
            )
        return batch

    # What is there

    @property
    def ids(self) -> list[str]:
        """The photos in the order given."""
        return list(self._entries)

    @property
    def rows(self) -> list[Row]:
        """The report: one row per photo, in the order given."""
        return [entry.row for entry in list(self._entries.values())]

    @property
    def finished(self) -> list[Path]:
        """The results that are there, in the order given."""
        return [Path(row.output) for row in self.rows if row.output is not None]

    @property
    def settled(self) -> bool:
        """True where no photo waits or is being worked on."""
        return all(row.state.settled for row in self.rows)

    @property
    def watched(self) -> bool:
        """True while somebody reads ``changes``."""
        return self._wake is not None

    def takes(self, request: Request, photos: int = 1) -> bool:
        """Whether so many more photos may join: always while it runs, whatever they ask for.

        Once it has ended: where a new batch would do the same, and this one has room and files.
        """
        if not self.settled:
            return True
        has_room = len(self._entries) + photos <= self._settings.max_photos
        is_same = request == self.request and self._choice in (None, self._likely_choice(request))
        return is_same and has_room and self.shelf.exists()

    def row(self, photo_id: str) -> Row:
        """One photo's row."""
        return self._entries[photo_id].row

    def original(self, photo_id: str) -> Path | None:
        """The input as it was taken in; None where it could not be."""
        return self._entries[photo_id].original

    # What a person can do

    def add(self, path: Path, name: str | None = None) -> str:
        """Take one more photo in, and give its id. A refused one fails when the batch runs."""
        photo_id, name = uuid.uuid4().hex, plain_name(name or path.name)
        entry = _Entry(photo_id, name, Row(name, stage=Stage.WAITING))
        with self._lock:
            is_one_too_many = len(self._entries) >= self._settings.max_photos
            self._entries[photo_id] = entry
            self._unnoted = True
        try:
            if is_one_too_many:
                raise TooManyPhotos(
                    f"A batch takes {self._settings.max_photos} photos. "
                    "Enhance this one in the next batch."
                )
            if is_side_file(name):
                raise SideFile("macOS and Windows write files of such names; this is no photo.")
            check_bytes(path, self._limits)
            entry.original = self.shelf.take(photo_id, path)
        except Exception as error:  # noqa: BLE001 - one odd file never refuses the others
            entry.refusal = failed_by(error, log, f"photo={photo_id}")
        self._call_reader()
        return photo_id

    def cancel(self, photo_id: str | None = None) -> None:
        """Cancel one photo, or all that are not settled; within one tile of work."""
        for entry in self._chosen(photo_id):
            if not entry.row.state.settled:
                entry.cancelled.set()
                self._engine.cancel(entry.job_id)
        self._call_reader()

    def retry(self, photo_id: str | None = None) -> int:
        """Let one photo, or all that failed or were cancelled, wait again; gives how many.

        They run when ``changes`` is (still) being read.
        """
        again = [
            entry
            for entry in self._chosen(photo_id)
            if entry.row.state in (State.FAILED, State.CANCELLED) and entry.original is not None
        ]
        for entry in again:
            entry.attempt += 1
            entry.strengths = entry.boxes = None
            entry.cancelled = threading.Event()
            entry.row = row_after(entry.row, Queued())
        self._call_reader()
        return len(again)

    async def changes(self) -> AsyncIterator[Change]:
        """Run the batch and tell what happens, until every photo is settled.

        At most ``in_flight`` photos are read, worked on or written at once. Only one reader at
        a time; another one ends at once. Closing this iterator cancels what is not settled.
        """
        with self._lock:
            if self._wake is not None:
                return
            happened: asyncio.Queue[tuple[str, Event] | None] = asyncio.Queue()
            loop = asyncio.get_running_loop()

            def post(item: tuple[str, Event] | None) -> None:
                with suppress(RuntimeError):  # the reader and its loop are gone
                    loop.call_soon_threadsafe(happened.put_nowait, item)

            self._wake = lambda: post(None)
        self.shelf.begin()
        running: set[str] = set()
        threads = ThreadPoolExecutor(self._settings.in_flight, thread_name_prefix="photo")
        try:
            while True:
                for change in self._settled_before_start(running):
                    yield change
                self._start_waiting(running, threads, post)
                await self._note_down()
                with self._lock:  # a photo is added before this, or finds nobody reading
                    if not running and self.settled:
                        self._wake = None
                        return
                item = await happened.get()
                if item is None:
                    continue
                job_id, event = item
                if isinstance(event, Finished | Failed | Cancelled):
                    running.discard(job_id)
                entry = self._entries[job_id.partition("-")[0]]
                if entry.job_id != job_id or entry.row.state.settled:
                    continue  # an abandoned attempt
                entry.row = row_after(entry.row, event)
                if entry.row.state.settled:
                    self._unnoted = True
                    await self._note_down()
                yield Change(entry.id, entry.row, event)
        finally:
            if self._wake is not None:
                self._stop_unsettled()
                self._wake = None
            threads.shutdown(wait=False)
            self.shelf.end()

    # What can be made of a finished photo

    def faces(self, photo_id: str) -> tuple[KeptFace, ...]:
        """The faces that were restored, in the order found; none where they are not kept."""
        entry = self._entries[photo_id]
        if self._kept is None or not entry.row.faces or entry.row.state is not State.DONE:
            return ()
        if entry.boxes is None:
            entry.boxes = self._kept.boxes(photo_id)
        each = zip(entry.boxes, self._strengths(entry), strict=False)
        return tuple(KeptFace(box, strength) for box, strength in each)

    def blend_again(self, photo_id: str, strengths: Sequence[float]) -> Row:
        """Blend the kept faces anew, one strength 0..1 for each, without the networks.

        The result gets a new path, with the same file name; gives the new row. Blocks. Raises
        PhotoEnhanceError with a sentence where it is impossible.
        """
        with self._blending, _failures_told(photo_id):
            entry = self._entries[photo_id]
            before = self._finished_photo(photo_id)
            row = before.blended(strengths)
            if entry.outdated is not None:
                remove_version(photo_id, entry.outdated)
            entry.outdated, entry.strengths, entry.row = before.output, tuple(strengths), row
            self._write_journal()
        return row

    def saved_as(self, photo_id: str, saving: Saving) -> Path:
        """The finished photo in another format or quality (1..100), written once.

        Blocks. Raises PhotoEnhanceError.
        """
        with _failures_told(photo_id):
            return self._finished_photo(photo_id).saved_as(saving)

    def difference(self, photo_id: str) -> Path:
        """A PNG that shows where and how far the result differs from its original.

        Blocks. Raises PhotoEnhanceError.
        """
        with _failures_told(photo_id):
            return self._finished_photo(photo_id).difference()

    def eta_seconds(self) -> float | None:
        """Seconds until all is done, by what finished photos took; None before one is.

        0 where all is settled. Reads the header of each photo once.
        """
        facts, wish = self._engine.facts(), replace(self.request, faces=Faces.NONE)
        choice = self._choice or self._likely_choice(self.request)
        finished, ahead = [], []
        for entry in list(self._entries.values()):
            row = entry.row
            if row.state in (State.FAILED, State.CANCELLED):
                continue
            size = self._size_of(entry)
            if size is None:
                continue
            background = operations(size, choice, wish, facts)
            if not row.state.settled:
                ahead.append(Ahead(background, row.faces, 1 - row.progress))
            elif row.seconds is not None:
                finished.append(Spent(background, row.faces or 0, row.seconds))
        return seconds_left(finished, ahead)

    def _size_of(self, entry: _Entry) -> Size | None:
        """The size of the photo from its header; None where it cannot be read."""
        if entry.size is None and entry.original is not None:
            with suppress(PhotoRefused, OSError):
                entry.size = probe(entry.original, self._limits)
        return entry.size

    def _finished_photo(self, photo_id: str) -> FinishedPhoto:
        entry = self._entries[photo_id]
        if entry.row.output is None or entry.original is None:
            raise PhotoMissing("This photo is not finished.")
        results = self.shelf.place_for(entry.id, entry.name).folder.parent
        return FinishedPhoto(
            entry.id, results, entry.original, entry.row, self._strengths(entry), self.request,
            self._limits, self._kept,
        )  # fmt: skip

    def _strengths(self, entry: _Entry) -> tuple[float, ...]:
        """Of the restored faces: as they were blended again, else as it was asked for."""
        if entry.strengths is not None:
            return entry.strengths
        return (self.request.face_strength,) * (entry.row.faces or 0)

    # What outlives the program

    def leave(self) -> None:
        """Its owner has begun afresh: it does not come back after the program's end."""
        with self._noting:
            journal, self._journal = self._journal, None
            if journal is not None:
                journal.remove()

    async def _note_down(self) -> None:
        """Write the journal where there is news, without holding up the loop."""
        if self._unnoted and self._journal is not None:
            self._unnoted = False
            await asyncio.to_thread(self._write_journal)

    def _write_journal(self) -> None:
        with self._noting:
            if self._journal is not None:
                self._journal.write(self._record())

    def _record(self) -> Record:
        photos = (
            JournalPhoto(entry.id, entry.row, entry.strengths)
            for entry in list(self._entries.values())
        )
        return Record(self.owner, self._began, self.request, tuple(photos))

    # How it runs

    def _stop_unsettled(self) -> None:
        """Cancel what the reader no longer waits for; only flags are set, nothing is awaited."""
        for entry in list(self._entries.values()):
            if not entry.row.state.settled:
                entry.cancelled.set()
                self._engine.cancel(entry.job_id)
                entry.row = row_after(entry.row, Cancelled())

    def _chosen(self, photo_id: str | None) -> list[_Entry]:
        return list(self._entries.values()) if photo_id is None else [self._entries[photo_id]]

    def _call_reader(self) -> None:
        wake = self._wake
        if wake is not None:
            wake()

    def _settled_before_start(self, running: set[str]) -> Iterator[Change]:
        """Photos that never start: refused when they were taken in, or cancelled since."""
        for entry in list(self._entries.values()):
            if entry.row.state is not State.QUEUED or entry.job_id in running:
                continue
            event = Cancelled() if entry.cancelled.is_set() else entry.refusal
            if event is not None:
                entry.row = row_after(entry.row, event)
                self._unnoted = True
                yield Change(entry.id, entry.row, event)

    def _start_waiting(
        self,
        running: set[str],
        threads: ThreadPoolExecutor,
        post: Callable[[tuple[str, Event]], None],
    ) -> None:
        """Start waiting photos in the order given, as many as the bound leaves room for."""
        for entry in list(self._entries.values()):
            if len(running) >= self._settings.in_flight:
                return
            waits = entry.row.state is State.QUEUED and entry.original is not None
            if waits and entry.job_id not in running:
                running.add(entry.job_id)
                threads.submit(self._run, entry, entry.job_id, entry.cancelled, post)

    def _run(
        self,
        entry: _Entry,
        job_id: str,
        cancelled: threading.Event,
        post: Callable[[tuple[str, Event]], None],
    ) -> None:
        """One photo from file to file, in a thread; every failure ends in one Failed."""
        try:
            for event in self._enhanced(entry, job_id, cancelled):
                post((job_id, event))
        except Exception as error:  # noqa: BLE001 - isolates one photo from all others
            post((job_id, failed_by(error, log, f"photo={entry.id}")))

    def _enhanced(self, entry: _Entry, job_id: str, cancelled: threading.Event) -> Iterator[Event]:
        yield Progress(Stage.READING)
        watch = _Stopwatch()
        photo = self._read(entry)
        watch.pause()
        choice = self._settled_choice()
        events = self._engine.enhance(
            job_id, self.owner, photo, self.request, choice,
            drafts=self._drafts, keeps=self._kept is not None,
        )  # fmt: skip
        parts: Enhanced | None = None
        with closing(events):
            for event in events:
                # Asked here too: the engine cannot cancel a job that it had not seen yet.
                if cancelled.is_set():
                    yield Cancelled()
                    return
                match event:
                    case Unblended():
                        parts = event.enhanced
                    case DraftRendered():
                        yield from self._written_draft(entry, event.photo)
                    case Rendered():
                        watch.resume(event.seconds)
                        yield Progress(Stage.WRITING)
                        yield self._written(entry, photo, event, parts, watch)
                    case _:
                        yield event

    def _settled_choice(self) -> Choice:
        """What ``auto`` means for all photos of the batch; the first one's thread finds out."""
        with self._choosing:
            if self._choice is None:
                self._choice = self._engine.choose(self.request.upscaler, self.request.scale)
            return self._choice

    def _likely_choice(self, request: Request) -> Choice:
        """What ``auto`` would mean now, without waiting for anything."""
        return choose_networks(request.upscaler, request.scale, self._engine.facts())

    def _read(self, entry: _Entry) -> Photo:
        if entry.original is None or not entry.original.exists():
            raise PhotoMissing("The uploaded file is no longer there. Choose the photo again.")
        return read_photo(entry.original, self._limits, entry.name)

    def _written_draft(self, entry: _Entry, draft: Photo) -> Iterator[Drafted]:
        """The draft as a file; where it cannot be written, the final comes without it."""
        place, stem = self.shelf.place_for(entry.id, entry.name), f"{plain_stem(entry.name)}_draft"
        try:
            yield Drafted(str(preview(draft, place.folder, DRAFT_PX, stem)))
        except Exception as error:  # noqa: BLE001 - as said
            log.warning("draft_not_written photo=%s reason=%s", entry.id, type(error).__name__)

    def _written(
        self,
        entry: _Entry,
        source: Photo,
        made: Rendered,
        parts: Enhanced | None,
        watch: _Stopwatch,
    ) -> Finished:
        place = self.shelf.place_for(entry.id, entry.name)
        path = write_result(
            made.photo, source, place.folder, self.request.saving, networks=made.networks,
            strengths=(self.request.face_strength,) * made.faces, stem=place.stem,
        )  # fmt: skip
        if self._kept is not None and parts is not None and (parts.faces or not is_lossless(path)):
            self._kept.put(entry.id, parts)
        return Finished(
            output=str(path),
            size=made.photo.size,
            networks=made.networks,
            precision=made.precision,
            faces=made.faces,
            seconds=round(watch.seconds, 3),
            faithfulness_db=round(faithfulness_db(source, made.photo), 2),
            warnings=made.warnings,
        )


@contextmanager
def _failures_told(photo_id: str) -> Iterator[None]:
    """Whatever goes wrong inside leaves as a PhotoEnhanceError; nobody sees a foreign one."""
    try:
        yield
    except Exception as error:
        failed_by(error, log, f"photo={photo_id}")
        raise as_photoenhance_error(error) from error


class Batches:
    """The current batch of each owner: the one that further photos join."""

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}
        self._lock = threading.Lock()

    def current(self, owner: str) -> Batch | None:
        """The owner's batch, running or ended; None where there has been none."""
        return self._batches.get(owner)

    def open_for(
        self, owner: str, request: Request, begin: Callable[[], Batch], photos: int = 1
    ) -> Batch:
        """The batch that so many photos with this request join, else a new one from ``begin``."""
        with self._lock:
            batch = self._batches.get(owner)
            if batch is not None and batch.takes(request, photos):
                return batch
            self._batches[owner] = begin()
            if batch is not None:
                batch.leave()
            return self._batches[owner]

    def restore(self, batches: Iterable[Batch]) -> None:
        """Take up what an earlier program left, the oldest first: an owner's newest is kept."""
        with self._lock:
            for batch in batches:
                older = self._batches.get(batch.owner)
                if older is not None:
                    older.leave()
                self._batches[batch.owner] = batch

    def clear(self, owner: str) -> None:
        """Let the owner begin afresh; a batch that runs stays."""
        with self._lock:
            batch = self._batches.get(owner)
            if batch is not None and batch.settled:
                batch.leave()
                del self._batches[owner]

    def forget_ended(self, keep: Callable[[Batch], bool]) -> None:
        """Drop settled batches that ``keep`` does not want, so that memory does not grow."""
        with self._lock:
            for owner, batch in list(self._batches.items()):
                if batch.settled and not batch.watched and not keep(batch):
                    del self._batches[owner]
