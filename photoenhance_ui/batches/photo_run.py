"""One photo of a batch from file to file: read, enhanced by the engine, written."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from photoenhance_ui.batches.entries import Entry
from photoenhance_ui.batches.face_layers import FaceLayers
from photoenhance_ui.batches.results import write_result
from photoenhance_ui.batches.storage import BatchFiles, plain_stem
from photoenhance_ui.engine.interface import Engine, Unblended
from photoenhance_ui.errors import PhotoMissing
from photoenhance_ui.events import (
    Cancelled,
    Drafted,
    DraftRendered,
    Event,
    Finished,
    Progress,
    Rendered,
    Stage,
)
from photoenhance_ui.images.codec import Limits, preview, read_photo
from photoenhance_ui.images.difference import faithfulness_db
from photoenhance_ui.images.formats import is_lossless
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline.drafts import DRAFT_PX
from photoenhance_ui.pipeline.enhancer import Enhanced
from photoenhance_ui.pipeline.plan import Choice, choose_networks
from photoenhance_ui.request import Request

log = logging.getLogger(__name__)


class NetworkChoice:
    """What ``auto`` means for all photos of a batch: settled once, with the first photo."""

    def __init__(self, engine: Engine, request: Request) -> None:
        self._engine = engine
        self._request = request
        self._settled: Choice | None = None
        self._settling = threading.Lock()

    def settle(self) -> Choice:
        """The networks of the batch; the first photo's thread finds out, others wait for it."""
        with self._settling:
            if self._settled is None:
                self._settled = self._engine.choose(self._request.upscaler, self._request.scale)
            return self._settled

    def likely(self) -> Choice:
        """The networks of the batch, or what they would be now, without waiting for anything."""
        return self._settled or self._of(self._request)

    def is_still(self, request: Request) -> bool:
        """Whether a new batch with this request would now get the networks that this one has."""
        return self._settled in (None, self._of(request))

    def _of(self, request: Request) -> Choice:
        return choose_networks(request.upscaler, request.scale, self._engine.facts())


@dataclass(frozen=True, eq=False)
class PhotoRun:
    """Runs the photos of one batch, each from file to file; for any number of threads.

    With ``drafts`` a photo's draft is written before its final, where that costs little; in
    ``layers`` is kept what blending the faces anew needs.
    """

    engine: Engine
    owner: str
    request: Request
    choice: NetworkChoice
    files: BatchFiles
    limits: Limits
    drafts: bool = False
    layers: FaceLayers | None = None

    def cancel(self, entry: Entry) -> None:
        """Stop the photo's present attempt, within one tile of work."""
        entry.cancelled.set()
        self.engine.cancel(_request_id(entry.id, entry.attempt))

    def events(self, entry: Entry, attempt: int, cancelled: threading.Event) -> Iterator[Event]:
        """Run one attempt, and give what happens; blocks in between. Raises PhotoEnhanceError."""
        yield Progress(Stage.READING)
        watch = Stopwatch()
        photo = self._read(entry)
        watch.pause()
        choice = self.choice.settle()
        events = self.engine.enhance(
            _request_id(entry.id, attempt), self.owner, photo, self.request, choice,
            drafts=self.drafts, keeps=self.layers is not None,
        )  # fmt: skip
        parts: Enhanced | None = None
        with closing(events):
            for event in events:
                # Asked here too: the engine cannot cancel a photo that it had not seen yet.
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

    def _read(self, entry: Entry) -> Photo:
        if entry.original is None or not entry.original.exists():
            raise PhotoMissing("The uploaded file is no longer there. Choose the photo again.")
        return read_photo(entry.original, self.limits, entry.name)

    def _written_draft(self, entry: Entry, draft: Photo) -> Iterator[Drafted]:
        """The draft as a file; where it cannot be written, the final comes without it."""
        place, stem = self.files.place_for(entry.id, entry.name), f"{plain_stem(entry.name)}_draft"
        try:
            yield Drafted(str(preview(draft, place.folder, DRAFT_PX, stem)))
        except Exception as error:  # noqa: BLE001 - as said
            log.warning("draft_not_written photo=%s reason=%s", entry.id, type(error).__name__)

    def _written(
        self,
        entry: Entry,
        source: Photo,
        made: Rendered,
        parts: Enhanced | None,
        watch: "Stopwatch",
    ) -> Finished:
        place = self.files.place_for(entry.id, entry.name)
        path = write_result(
            made.photo, source, place.folder, self.request.saving, networks=made.networks,
            strengths=(self.request.face_strength,) * made.faces, stem=place.stem,
        )  # fmt: skip
        has_layers = parts is not None and (parts.faces or not is_lossless(path))
        if self.layers is not None and parts is not None and has_layers:
            self.layers.put(entry.id, parts)
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


def _request_id(photo_id: str, attempt: int) -> str:
    """What the engine calls an attempt: a retry is another one."""
    return f"{photo_id}-{attempt}"


class Stopwatch:
    """Seconds of work on a photo: reading, enhancing, writing; not its waiting for its turn."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._began: float | None = time.monotonic()

    def pause(self) -> None:
        """Count no longer, until ``resume``."""
        self._spent, self._began = self.seconds, None

    def resume(self, worked: float) -> None:
        """Run again, after so many seconds of work that somebody else measured."""
        self._spent, self._began = self._spent + worked, time.monotonic()

    @property
    def seconds(self) -> float:
        """The seconds of work so far."""
        running = 0.0 if self._began is None else time.monotonic() - self._began
        return self._spent + running
