"""The steps of one photo on the device: from its plan to its last event, with a draft before.

Short of memory it is begun again with smaller tiles. Drafts are made where they cost little, and
as long as no other owner's first photo waits for them.
"""

import logging
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from photoenhance_ui.catalogue import Role, logged_name
from photoenhance_ui.engine.batching import PendingWork
from photoenhance_ui.engine.interface import EngineEvent, Unblended
from photoenhance_ui.engine.memory import BatchSizes, TileSizes, give_back_freed
from photoenhance_ui.errors import MemoryExhausted
from photoenhance_ui.events import (
    Cancelled,
    DraftRendered,
    Event,
    FacesFound,
    Failed,
    Progress,
    Rendered,
    Stage,
    Started,
    failed_by,
)
from photoenhance_ui.geometry import Size
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline import enhancer
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.pipeline.drafts import draft_plan, is_cheap
from photoenhance_ui.pipeline.enhancer import Enhanced, shrunk
from photoenhance_ui.pipeline.plan import Choice, EngineFacts, Plan, make_plan, wants_fast
from photoenhance_ui.request import BUILTIN, Request

log = logging.getLogger(__name__)

LARGE_PIXELS = 30_000_000
"""From results of this size on, networks make room for them when their part is done."""
DRAFTS = Choice(BUILTIN, None, None, None)

LastEvent = Rendered | Failed | Cancelled
Steps = Generator[EngineEvent | PendingWork, Any, LastEvent]
"""What happens to a photo; PendingWork is sent the outputs; the last event is returned."""
PartSteps = Generator[EngineEvent | PendingWork, Any, None]
"""Some of these steps, without the last event."""


class _TilesTooLarge(Exception):
    """Memory ran out while a tile was enlarged; smaller ones may fit."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


@dataclass(frozen=True, eq=False)
class PhotoJob:
    """One photo that an engine is to enhance, and how."""

    id: str
    owner: str
    photo: Photo
    request: Request
    choice: Choice
    drafts: bool = False
    keeps: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)


class PhotoSteps:
    """Makes the steps of photos. For one thread, which takes them in any order."""

    def __init__(
        self,
        networks: Networks,
        tile_sizes: TileSizes,
        batch_sizes: BatchSizes,
        first_waits: Callable[[str], bool],
    ) -> None:
        """``first_waits`` tells whether somebody's first photo waits behind that of an id."""
        self._networks = networks
        self._tile_sizes = tile_sizes
        self._batch_sizes = batch_sizes
        self._drafts = _DraftSteps(networks, self._fitted, first_waits)

    def steps(self, job: PhotoJob) -> Steps:
        """Carry one photo through; whatever goes wrong ends in one Failed."""
        try:
            if job.cancelled.is_set():
                return Cancelled()
            return (yield from self._carried(job))
        except Exception as error:  # noqa: BLE001 - isolates one photo from all others
            return failed_by(error, log, f"job={job.id}")

    def _carried(self, job: PhotoJob) -> Steps:
        """From the plan to the last event; anew with smaller tiles where memory runs out."""
        drafts = job.drafts
        while True:
            plan = self._plan(job)
            yield Started(plan.networks, plan.precision, plan.warnings)
            try:
                return (yield from self._composed(job, plan, drafts=drafts))
            except _TilesTooLarge as error:
                if not self._tile_sizes.lower(plan, self._networks.facts()):
                    raise error.cause from None
                upscaler = logged_name(str(plan.upscaler))
                log.warning("tiles_lowered job=%s upscaler=%s", job.id, upscaler)
            drafts = False  # it was made, or could not be

    def _plan(self, job: PhotoJob) -> Plan:
        return self._fitted(plan_for(job.photo.size, job.request, job.choice, self._networks))

    def _fitted(self, plan: Plan) -> Plan:
        """The plan with tiles and batches that there is memory for."""
        return self._batch_sizes.fitted(self._tile_sizes.fitted(plan, self._networks.facts()))

    def _composed(self, job: PhotoJob, plan: Plan, *, drafts: bool) -> Steps:
        """The photo's events up to the last: a draft where it is due, then the final."""
        enlarges = False

        def told(event: Event) -> PartSteps:
            nonlocal enlarges
            yield event
            if not enlarges and isinstance(event, Progress) and event.stage is Stage.ENLARGING:
                enlarges = True
                self._make_room(plan)
            if drafts and isinstance(event, FacesFound):
                yield from self._drafts.steps(job, plan, event.count)

        if drafts and plan.detector is None:
            yield from self._drafts.steps(job, plan, faces=0)
        enhanced = yield from _driven(job.photo, plan, job.cancelled.is_set, told)
        if enhanced is None:
            return Cancelled()
        self._make_room(plan)
        if job.keeps:
            yield Unblended(enhanced)
        yield Progress(Stage.BLENDING)
        photo = enhancer.blend(enhanced, plan.face_strength, in_place=not job.keeps)
        faces = len(enhanced.faces)
        return Rendered(photo, plan.networks, plan.precision, faces, plan.warnings)

    def _make_room(self, plan: Plan) -> None:
        """Where a large photo needs the room, what the networks hold between calls goes."""
        if plan.output.pixels >= LARGE_PIXELS:
            self._networks.release_memory()
            give_back_freed()


class _DraftSteps:
    """Makes drafts of photos while they are worked on."""

    def __init__(
        self,
        networks: Networks,
        fitted: Callable[[Plan], Plan],
        first_waits: Callable[[str], bool],
    ) -> None:
        """``fitted`` gives a plan with tiles and batches that there is memory for."""
        self._networks = networks
        self._fitted = fitted
        self._first_waits = first_waits

    def steps(self, job: PhotoJob, final: Plan, faces: int) -> PartSteps:
        """A draft, where it is cheap and as long as no first photo waits for it."""
        if self._first_waits(job.id):
            return
        try:
            plan = self._plan(final, faces)
            if plan is None:
                return
            photo = shrunk(job.photo, plan.source)
            stops = lambda: job.cancelled.is_set() or self._first_waits(job.id)  # noqa: E731
            enhanced = yield from _driven(photo, plan, stops, lambda _: ())
            if enhanced is not None:
                yield DraftRendered(enhancer.blend(enhanced, 0.0))
        except Exception as error:  # noqa: BLE001 - the final comes without a draft, too
            cause = error.cause if isinstance(error, _TilesTooLarge) else error
            failed_by(cause, log, f"draft of job={job.id}")

    def _plan(self, final: Plan, faces: int) -> Plan | None:
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


def plan_for(size: Size, request: Request, choice: Choice, networks: Networks) -> Plan:
    """The plan of a photo of this size, in the fast form where it is wanted and proven."""
    facts = networks.facts()
    may_be_fast = _may_be_fast(request, choice, facts)
    runs_fast = may_be_fast and networks.runs_fast(choice.upscaler, request.denoise)
    return make_plan(size, request, choice, facts, runs_fast=runs_fast)


def _may_be_fast(request: Request, choice: Choice, facts: EngineFacts) -> bool:
    return choice.upscaler in facts.upscalers and wants_fast(request, facts)


def _driven(
    photo: Photo,
    plan: Plan,
    stops: Callable[[], bool],
    told: Callable[[Event], Iterable[EngineEvent | PendingWork]],
) -> Generator[EngineEvent | PendingWork, Any, Enhanced | None]:
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


def _computed(work: Work, plan: Plan) -> Generator[PendingWork, Any, Any]:
    try:
        return (yield PendingWork(work, plan.precision))
    except (MemoryExhausted, MemoryError) as error:
        if work.role is Role.UPSCALER:
            raise _TilesTooLarge(error) from error
        raise
