"""The engine: owns the resident networks and one lane of work for their device.

One photo at a time is carried through the device, with others in the gaps of its batches where it
computes batches; the rest waits in the scheduler. The interface is small and everything that
crosses it pickles, because a cluster's replica will offer the same.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from queue import SimpleQueue
from typing import Any, cast

from photoenhance_ui import enhancer, weights
from photoenhance_ui.catalogue import Role, logged_name
from photoenhance_ui.contracts import Work
from photoenhance_ui.drafts import draft_plan, is_cheap
from photoenhance_ui.enhancer import Enhanced, shrunk
from photoenhance_ui.errors import EngineStopped, MemoryExhausted
from photoenhance_ui.events import (
    Cancelled,
    DraftRendered,
    Event,
    FacesFound,
    Failed,
    Progress,
    Queued,
    Rendered,
    Stage,
    Started,
    failed_by,
)
from photoenhance_ui.geometry import Size
from photoenhance_ui.lane import Asked, Carried, Lane
from photoenhance_ui.memory import AtOnce, TileSizes, available_bytes, give_back_freed
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Photo
from photoenhance_ui.plan import (
    BUILTIN,
    Choice,
    EngineFacts,
    Plan,
    has_face_work,
    make_plan,
    operations,
    wants_fast,
)
from photoenhance_ui.request import Request
from photoenhance_ui.scheduler import Scheduler
from photoenhance_ui.settings import Settings
from photoenhance_ui.traces import trace_of
from photoenhance_ui.weights import Inventory

log = logging.getLogger(__name__)

LARGE_PIXELS = 30_000_000
"""From results of this size on, networks make room for them when their part is done."""
DRAFTS = Choice(BUILTIN, None, None, None)
LAST_EVENTS = (Rendered, Failed, Cancelled)
MEASURED_AT_ONCE = 2
"""Networks; a second one that is measured in seconds does not wait for one that takes minutes."""
LESS_URGENT = 10
"""The niceness of a thread that takes what the lane leaves of the processors."""


class _TilesTooLarge(Exception):
    """Memory ran out while a tile was enlarged; smaller ones may fit."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


@dataclass(frozen=True, eq=False)
class Unblended:
    """The parts of what Rendered shows next, for who keeps them."""

    enhanced: Enhanced


_Steps = Generator[Event | Unblended | Asked, Any, None]
"""What happens to a photo; Asked is sent the outputs."""


@dataclass(frozen=True, eq=False)
class _Job:
    id: str
    owner: str
    photo: Photo
    request: Request
    choice: Choice
    drafts: bool
    keeps: bool
    events: SimpleQueue[Event | Unblended] = field(default_factory=SimpleQueue)
    cancelled: threading.Event = field(default_factory=threading.Event)


class Engine:
    """Enhances photos of many owners on one device, in turns.

    Thread-safe: any number of threads may call ``enhance``; each gets its own events.
    """

    def __init__(
        self,
        networks: Networks,
        settings: Settings,
        available_bytes: int | None = None,
        *,
        drafts: bool = False,
        looks: bool = False,
    ) -> None:
        """``available_bytes`` of memory are left for tiles; None: nobody knows.

        With ``drafts`` the first one does not wait for its network. With ``looks`` the networks
        are yet to be looked for: that goes on in a thread of its own, while the engine already
        answers; with ``drafts``, what ``auto`` takes is made ready there, too.
        """
        self._makes_drafts = drafts
        self._tiles = TileSizes(available_bytes)
        self._networks = networks
        self._settings = settings
        self._jobs: dict[str, _Job] = {}
        self._working: set[str] = set()
        self._preparing: set[str] = set()
        self._scheduler = Scheduler()
        facts = networks.facts()
        self._at_once = AtOnce(facts.tiles_at_once, facts.faces_at_once)
        self._lane = Lane(networks.run, self._at_once, self._taken)
        self._closed = False
        self._changed = threading.Condition()
        self._aside = ThreadPoolExecutor(MEASURED_AT_ONCE, "engine-aside", _let_others_go_first)
        self._arriving = threading.Lock()
        self._inventory = Inventory()
        self._known = threading.Event()
        self._thread = threading.Thread(target=self._work, name="engine-lane", daemon=True)
        self._thread.start()
        self._looking = threading.Thread(target=self._look, name="engine-start", daemon=True)
        if looks:
            self._looking.start()
        else:
            self._known.set()

    def enhance(
        self,
        job_id: str,
        owner: str,
        photo: Photo,
        request: Request,
        choice: Choice,
        *,
        drafts: bool = False,
        keeps: bool = False,
    ) -> Generator[Event | Unblended, None, None]:
        """Enhance one photo; blocks between events.

        With ``drafts`` a DraftRendered comes before the final where that costs little, with
        ``keeps`` the final's parts come before it as Unblended. The last event is Rendered, Failed
        or Cancelled; nothing is raised. Closing the iterator before that cancels the job.
        """
        job = _Job(job_id, owner, photo, request, choice, drafts, keeps)
        self._accept(job)
        try:
            while True:
                event = job.events.get()
                yield event
                if isinstance(event, LAST_EVENTS):
                    return
        finally:
            self.cancel(job_id)
            with self._changed:
                self._jobs.pop(job_id, None)
                self._changed.notify_all()

    def cancel(self, job_id: str) -> None:
        """Stop a job: at once where it waits, after the current batch where it is worked on."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None:
                return
            job.cancelled.set()
            if self._scheduler.remove(job.owner, job.id) or self._leave_preparing(job):
                job.events.put(Cancelled())

    def choose(self, upscaler: str, scale: float) -> Choice:
        """The networks for a request, loaded: what ``auto`` means here; a name stays.

        At the start it waits until the files are known, and never for other networks than these.
        """
        self._known.wait()
        return self._networks.choose(upscaler, scale)

    def known_facts(self) -> EngineFacts:
        """``facts``, once the files are known: at the start it waits for that."""
        self._known.wait()
        return self.facts()

    def inventory(self) -> Inventory:
        """The network files as they were last looked through: those in use, and those refused."""
        return self._inventory

    def facts(self) -> EngineFacts:
        """What is installed and running, and how many photos there are; at the start, so far."""
        with self._changed:
            working, waiting = len(self._working), len(self._scheduler) + len(self._preparing)
        return replace(
            self._networks.facts(),
            looking=not self._known.is_set(),
            photos_working=working,
            photos_waiting=waiting,
        )

    def networks_arrived(self) -> None:
        """Look for new network files, load them, and use them from the next batch on."""
        self._known.wait()
        self._take_stock(loads=True)

    def _take_stock(self, *, loads: bool) -> None:
        with self._arriving:  # or who looked first tells last, of files that are fewer
            inventory = weights.take_stock(self._settings)
            self._networks.refresh(inventory.installed, loads=loads)
            self._inventory = inventory

    def close(self) -> None:
        """Stop the lane; photos that wait or are worked on fail with EngineStopped."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.cancelled.set()
                if self._leave_preparing(job):
                    job.events.put(_stopped())
            self._changed.notify_all()
        self._networks.stop_measuring()
        self._aside.shutdown(cancel_futures=True)
        self._thread.join()
        if self._looking.ident is not None:
            self._looking.join()

    def _look(self) -> None:
        """Take stock of the network files; then make what ``auto`` takes ready, for a page."""
        try:
            self._take_stock(loads=False)
        except Exception as error:  # noqa: BLE001 - without files there is still resampling
            log.error("networks_not_looked_through %s", trace_of(error))
        finally:
            self._known.set()
        give_back_freed()
        if self._makes_drafts:
            self._make_ready()

    def _make_ready(self) -> None:
        """Load and measure what photos will ask for, so that the first ones need not wait."""
        request = Request()
        try:
            choice = self._networks.choose(request.upscaler, request.scale)
            self._networks.prepare(choice, request.denoise, fast=self._wants_fast(request))
            if {BUILTIN} < set(self._networks.facts().upscalers):  # or there are no drafts
                self._networks.prepare(DRAFTS, request.denoise, fast=True)
            with suppress(RuntimeError):  # the engine was closed meanwhile
                self._aside.submit(self._confirm)
        except EngineStopped:
            return
        except Exception as error:  # noqa: BLE001 - the first photo meets it again
            log.error("networks_not_made_ready %s", trace_of(error))
        give_back_freed()

    def _confirm(self) -> None:
        """Measure in passing what came measured with the built-in network, once nobody waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not (self._working or self._jobs))
        if self._closed:
            return
        try:
            self._networks.confirm()
        except EngineStopped:
            return
        except Exception as error:  # noqa: BLE001 - what came with the network stays
            log.error("fast_forms_not_confirmed %s", trace_of(error))
        give_back_freed()

    def _accept(self, job: _Job) -> None:
        job.events.put(Queued())
        with self._changed:
            if self._closed:
                job.events.put(_stopped())
                return
            self._jobs[job.id] = job
            if self._is_ready(job):
                self._schedule(job)
            else:
                self._preparing.add(job.id)
                self._aside.submit(self._prepare, job)

    def _schedule(self, job: _Job) -> None:
        cost = operations(job.photo.size, job.choice, job.request, self._networks.facts())
        self._scheduler.add(job.owner, job.id, cost)
        self._changed.notify_all()

    def _prepare(self, job: _Job) -> None:
        """Measure the photo's networks, for up to minutes: beside the lane, so that nobody waits.

        Whatever goes wrong, this photo alone has failed.
        """
        if job.cancelled.is_set():
            return
        job.events.put(Progress(Stage.PREPARING))
        try:
            choice = _needed(job.choice, job.request)
            self._networks.prepare(
                choice, job.request.denoise, fast=self._wants_fast(job.request)
            )  # fmt: skip
            failed = None
        except Exception as error:  # noqa: BLE001 - isolates one photo from all others
            failed = failed_by(error, log, f"job={job.id}")
        with self._changed:
            if not self._leave_preparing(job):
                return
            if failed is None:
                self._schedule(job)
            else:
                job.events.put(failed)

    def _is_ready(self, job: _Job) -> bool:
        fast = self._wants_fast(job.request)
        choice = _needed(job.choice, job.request)
        return self._networks.is_ready(choice, job.request.denoise, fast=fast)

    def _wants_fast(self, request: Request) -> bool:
        return wants_fast(request, self._networks.facts())

    def _leave_preparing(self, job: _Job) -> bool:
        """Take it out of those that are prepared; False where it is none of them (any more)."""
        with self._changed:
            was_preparing = job.id in self._preparing
            self._preparing.discard(job.id)
            return was_preparing

    def _next(self) -> Carried | None:
        """The next photo in front, or None once the engine is closed and nobody waits."""
        with self._changed:
            begun = self._lane.next_front(first_waits=self._scheduler.first_waits())
            if begun is not None:
                return begun
            if not len(self._scheduler):
                self._scheduler.rest()
            self._changed.wait_for(lambda: len(self._scheduler) or self._closed)
            return self._taken()

    def _taken(self) -> Carried | None:
        """The photo whose turn it is of those that wait."""
        with self._changed:
            is_first = self._scheduler.first_waits()
            job_id = self._scheduler.next()
            if job_id is None:
                return None
            self._working.add(job_id)
            job = self._jobs[job_id]
        tell = partial(self._tell, job)
        return Carried(job.id, self._enhanced(job), tell, job.cancelled.is_set, is_first)

    def _work(self) -> None:
        while (photo := self._next()) is not None:
            self._lane.carry(photo)
            del photo  # a waiting lane holds none

    def _tell(self, job: _Job, event: Event | Unblended, seconds: float) -> None:
        if isinstance(event, Rendered):
            event = replace(event, seconds=seconds)
        if self._closed and isinstance(event, Cancelled):
            event = _stopped()  # the reason, not the symptom
        if isinstance(event, LAST_EVENTS):
            with self._changed:
                self._working.discard(job.id)
        job.events.put(event)

    def _enhanced(self, job: _Job) -> _Steps:
        """Carry one photo through; whatever goes wrong ends in one Failed."""
        try:
            if job.cancelled.is_set():
                yield Cancelled()
                return
            yield from self._carried(job)
        except Exception as error:  # noqa: BLE001 - isolates one photo from all others
            yield failed_by(error, log, f"job={job.id}")

    def _carried(self, job: _Job) -> _Steps:
        """From the plan to the last event; anew with smaller tiles where memory runs out."""
        drafts = job.drafts
        while True:
            plan = self._plan(job)
            yield Started(plan.networks, plan.precision, plan.warnings)
            try:
                yield from self._composed(job, plan, drafts=drafts)
                return
            except _TilesTooLarge as error:
                if not self._tiles.lower(plan, self._networks.facts()):
                    raise error.cause from None
                upscaler = logged_name(str(plan.upscaler))
                log.warning("tiles_lowered job=%s upscaler=%s", job.id, upscaler)
            drafts = False  # it was made, or could not be

    def _plan(self, job: _Job) -> Plan:
        return self._fitted(plan_for(job.photo.size, job.request, job.choice, self._networks))

    def _fitted(self, plan: Plan) -> Plan:
        """The plan with tiles and batches that there is memory for."""
        return self._at_once.fitted(self._tiles.fitted(plan, self._networks.facts()))

    def _composed(self, job: _Job, plan: Plan, *, drafts: bool) -> _Steps:
        """The photo's events up to the last: a draft where it is due, then the final."""
        enlarges = False

        def told(event: Event) -> _Steps:
            nonlocal enlarges
            yield event
            if not enlarges and isinstance(event, Progress) and event.stage is Stage.ENLARGING:
                enlarges = True
                self._make_room(plan)
            if drafts and isinstance(event, FacesFound):
                yield from self._drafted(job, plan, event.count)

        if drafts and plan.detector is None:
            yield from self._drafted(job, plan, faces=0)
        enhanced = yield from _driven(job.photo, plan, job.cancelled.is_set, told)
        if enhanced is None:
            yield Cancelled()
            return
        self._make_room(plan)
        if job.keeps:
            yield Unblended(enhanced)
        yield from _blended(enhanced, plan, in_place=not job.keeps)

    def _make_room(self, plan: Plan) -> None:
        """Where a large photo needs the room, what the networks hold between calls goes."""
        if plan.output.pixels >= LARGE_PIXELS:
            self._networks.release_memory()
            give_back_freed()

    # Drafts

    def _drafted(self, job: _Job, final: Plan, faces: int) -> _Steps:
        """A draft, where it is cheap and as long as no first photo waits for it."""
        if self._first_waits(job):
            return
        try:
            plan = self._draft_plan(final, faces)
            if plan is None:
                return
            photo = shrunk(job.photo, plan.source)
            stops = lambda: job.cancelled.is_set() or self._first_waits(job)  # noqa: E731
            enhanced = yield from _driven(photo, plan, stops, lambda _: ())
            if enhanced is not None:
                yield DraftRendered(enhancer.blend(enhanced, 0.0))
        except Exception as error:  # noqa: BLE001 - the final comes without a draft, too
            cause = error.cause if isinstance(error, _TilesTooLarge) else error
            failed_by(cause, log, f"draft of job={job.id}")

    def _draft_plan(self, final: Plan, faces: int) -> Plan | None:
        """How the draft is made; None where it costs too much."""
        facts = self._networks.facts()
        if not is_cheap(final, faces, facts, runs_fast=True):
            return None
        if not self._networks.is_ready(DRAFTS, Request.denoise, fast=True):
            return None  # which takes longer to make ready than a draft may
        runs_fast = self._networks.runs_fast(BUILTIN, Request.denoise)
        if not is_cheap(final, faces, facts, runs_fast=runs_fast):
            return None
        return self._fitted(draft_plan(final, facts, runs_fast=runs_fast))

    def _first_waits(self, job: _Job) -> bool:
        """Whether a first photo waits behind this one, be it begun or not."""
        with self._changed:
            return self._scheduler.first_waits() or self._lane.first_behind(job.id)


def plan_for(size: Size, request: Request, choice: Choice, networks: Networks) -> Plan:
    """The plan of a photo of this size, in the fast form where it is wanted and proven."""
    facts = networks.facts()
    may_be_fast = _may_be_fast(request, choice, facts)
    runs_fast = may_be_fast and networks.runs_fast(choice.upscaler, request.denoise)
    return make_plan(size, request, choice, facts, runs_fast=runs_fast)


def _needed(choice: Choice, request: Request) -> Choice:
    """The networks of the choice that the request has work for."""
    if has_face_work(request):
        return choice
    return replace(choice, detector=None, restorer=None, parser=None)


def _may_be_fast(request: Request, choice: Choice, facts: EngineFacts) -> bool:
    return choice.upscaler in facts.upscalers and wants_fast(request, facts)


def _let_others_go_first() -> None:
    """Lower the urgency of this thread and of those that it starts."""
    if sys.platform == "linux":  # elsewhere it would be that of the whole program
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LESS_URGENT)


def _driven(
    photo: Photo,
    plan: Plan,
    stops: Callable[[], bool],
    told: Callable[[Event], Iterable[Event | Unblended | Asked]],
) -> Generator[Event | Unblended | Asked, Any, Enhanced | None]:
    """Pass on the work that the enhancer asks for, and ``told`` of its events; give its result.

    None where it is told to stop, which is asked between batches.
    """
    steps = enhancer.enhance(photo, plan)
    answer = None
    while not stops():
        try:
            step = steps.send(answer)
        except StopIteration as end:
            return cast(Enhanced, end.value)
        answer = None
        if isinstance(step, Work):
            answer = yield from _computed(step, plan)
        else:
            yield from told(step)
    steps.close()
    return None


def _computed(work: Work, plan: Plan) -> Generator[Asked, Any, Any]:
    try:
        return (yield Asked(work, plan.precision))
    except (MemoryExhausted, MemoryError) as error:
        if work.role is Role.UPSCALER:
            raise _TilesTooLarge(error) from error
        raise


def _blended(enhanced: Enhanced, plan: Plan, *, in_place: bool) -> Iterator[Event]:
    yield Progress(Stage.BLENDING)
    photo = enhancer.blend(enhanced, plan.face_strength, in_place=in_place)
    yield Rendered(photo, plan.networks, plan.precision, len(enhanced.faces), plan.warnings)


def _stopped() -> Failed:
    return Failed(EngineStopped.code, "The program was closed before this photo was done.")


@contextmanager
def open_engine(settings: Settings, *, drafts: bool = False) -> Iterator[Engine]:
    """Run an engine on the installed networks until the block ends; it is there at once.

    With ``drafts``, as a page wants it, what ``auto`` takes is made ready in the background;
    without, networks are loaded when a photo asks for them.
    """
    networks = Networks({}, settings)
    engine = Engine(networks, settings, available_bytes(), drafts=drafts, looks=True)
    try:
        yield engine
    finally:
        engine.close()
