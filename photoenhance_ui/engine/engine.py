"""The engine of this process: its networks, and one thread of work for their device.

One photo at a time is carried through the device, with others in the gaps of its batches where it
computes batches; the rest waits in the queue.
"""

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from queue import SimpleQueue

from photoenhance_ui.engine.batching import DeviceBatcher, PhotoTask
from photoenhance_ui.engine.interface import LAST_EVENTS, Engine, EngineEvent, QueueLength
from photoenhance_ui.engine.memory import BatchSizes, TileSizes, available_bytes
from photoenhance_ui.engine.photo_queue import PhotoQueue
from photoenhance_ui.engine.photo_steps import PhotoJob, PhotoSteps
from photoenhance_ui.engine.upkeep import Upkeep
from photoenhance_ui.errors import EngineStopped
from photoenhance_ui.events import Cancelled, Failed, Progress, Queued, Rendered, Stage, failed_by
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline.plan import Choice, EngineFacts, operations
from photoenhance_ui.request import Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import Inventory

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Call:
    """One photo that somebody waits for, and its events."""

    job: PhotoJob
    events: SimpleQueue[EngineEvent] = field(default_factory=SimpleQueue)


class DeviceEngine:
    """The engine on one device of this process; see ``Engine`` for what it offers."""

    def __init__(
        self,
        networks: Networks,
        settings: Settings,
        memory_bytes: int | None,
        *,
        drafts: bool = False,
    ) -> None:
        """``memory_bytes`` are left for tiles; None: nobody knows.

        With ``drafts`` what ``auto`` and drafts take is made ready, so that the first draft does
        not wait for its network.
        """
        self._networks = networks
        self._calls: dict[str, _Call] = {}
        self._preparing: set[str] = set()
        self._closed = False
        self._changed = threading.Condition()
        self._queue = PhotoQueue()
        facts = networks.facts()
        batch_sizes = BatchSizes(facts.tiles_at_once, facts.faces_at_once)
        self._photos = PhotoSteps(
            networks, TileSizes(memory_bytes), batch_sizes, self._queue.first_waits
        )
        batcher = DeviceBatcher(networks.run, batch_sizes, self._queue)
        self._thread = threading.Thread(target=batcher.work, name="engine-device", daemon=True)
        self._thread.start()
        self._upkeep = Upkeep(networks, settings)
        self._upkeep.begin(drafts=drafts, wait_until_idle=self._wait_until_idle)

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
        """Enhance one photo; see ``Engine``."""
        call = _Call(PhotoJob(request_id, owner, photo, request, choice, drafts, keeps))
        self._accept(call)
        try:
            while True:
                event = call.events.get()
                yield event
                if isinstance(event, LAST_EVENTS):
                    return
        finally:
            self.cancel(request_id)
            with self._changed:
                self._calls.pop(request_id, None)
                self._changed.notify_all()

    def cancel(self, request_id: str) -> None:
        """Stop a photo: at once where it waits, after the current batch where it is worked on."""
        with self._changed:
            call = self._calls.get(request_id)
            if call is None:
                return
            call.job.cancelled.set()
            waits = self._queue.remove(call.job.owner, request_id)
            if waits or self._leave_preparing(request_id):
                call.events.put(Cancelled())

    def choose(self, upscaler: str, scale: float) -> Choice:
        """Settle which networks serve a request, and load them; see ``Engine``."""
        self._upkeep.wait_until_known()
        return self._networks.choose(upscaler, scale)

    def facts(self, *, wait: bool = False) -> EngineFacts:
        """What is installed and what the engine can do; see ``Engine``."""
        if wait:
            self._upkeep.wait_until_known()
        return replace(self._networks.facts(), looking=self._upkeep.is_looking)

    def queue(self) -> QueueLength:
        """How many photos there are at this moment."""
        with self._changed:
            length = self._queue.length()
            return replace(length, waiting=length.waiting + len(self._preparing))

    def inventory(self) -> Inventory:
        """The network files as they were last looked through: those in use, and those refused."""
        return self._upkeep.inventory

    def networks_arrived(self) -> None:
        """Look for new network files, load them, and use them from the next batch on."""
        self._upkeep.wait_until_known()
        self._upkeep.take_stock(loads=True)

    def close(self) -> None:
        """Stop the work; photos that wait or are worked on fail with EngineStopped."""
        with self._changed:
            self._closed = True
            for call in self._calls.values():
                call.job.cancelled.set()
                if self._leave_preparing(call.job.id):
                    call.events.put(_stopped())
            self._changed.notify_all()
        self._queue.close()
        self._upkeep.close()
        self._thread.join()

    def _wait_until_idle(self) -> bool:
        """Return once there are no photos; False where the engine was closed meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._calls)
            return not self._closed

    def _accept(self, call: _Call) -> None:
        call.events.put(Queued())
        with self._changed:
            if self._closed:
                call.events.put(_stopped())
                return
            self._calls[call.job.id] = call
            if self._upkeep.is_ready(call.job):
                self._schedule(call)
            else:
                self._preparing.add(call.job.id)
                self._upkeep.submit(lambda: self._prepare(call))

    def _schedule(self, call: _Call) -> None:
        job, tell = call.job, partial(self._tell, call)
        cost = operations(job.photo.size, job.choice, job.request, self._networks.facts())
        task = PhotoTask(job.id, self._photos.steps(job), tell, job.cancelled.is_set)
        self._queue.add(job.owner, task, cost)

    def _prepare(self, call: _Call) -> None:
        """Make the photo's networks ready beside the device's work, so that nobody waits.

        Whatever goes wrong, this photo alone has failed.
        """
        job, failed = call.job, None
        if job.cancelled.is_set():
            return
        call.events.put(Progress(Stage.PREPARING))
        try:
            self._upkeep.make_ready(job)
        except Exception as error:  # noqa: BLE001 - isolates one photo from all others
            failed = failed_by(error, log, f"job={job.id}")
        with self._changed:
            if not self._leave_preparing(job.id):
                return
            if failed is None:
                self._schedule(call)
            else:
                call.events.put(failed)

    def _leave_preparing(self, request_id: str) -> bool:
        """Take it out of those that are prepared; False where it is none of them (any more)."""
        with self._changed:
            was_preparing = request_id in self._preparing
            self._preparing.discard(request_id)
            return was_preparing

    def _tell(self, call: _Call, event: EngineEvent, seconds: float) -> None:
        if isinstance(event, Rendered):
            event = replace(event, seconds=seconds)
        if self._closed and isinstance(event, Cancelled):
            event = _stopped()  # the reason, not the symptom
        call.events.put(event)


def _stopped() -> Failed:
    return Failed(EngineStopped.code, "The program was closed before this photo was done.")


@contextmanager
def open_engine(
    settings: Settings,
    *,
    networks: Networks | None = None,
    drafts: bool = False,
    memory_bytes: int | None = None,
) -> Iterator[Engine]:
    """Run an engine on the installed networks until the block ends; it is there at once.

    With ``drafts``, as a page wants it, what ``auto`` takes is made ready in the background;
    without, networks are loaded when a photo asks for them. ``networks`` computes in the place of
    those of ``settings``; ``memory_bytes`` are left for tiles, where not what the system tells.
    """
    if networks is None:
        networks = Networks({}, settings)
    if memory_bytes is None:
        memory_bytes = available_bytes()
    engine = DeviceEngine(networks, settings, memory_bytes, drafts=drafts)
    try:
        yield engine
    finally:
        engine.close()
