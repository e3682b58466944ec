"""Drafts: which photos get one, how large it is, and that nobody's first photo waits for it."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.storage import Workspace
from photoenhance_ui.engine.engine import open_engine
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.errors import MemoryExhausted
from photoenhance_ui.events import (
    Cancelled,
    DraftRendered,
    Event,
    FacesFound,
    Progress,
    Rendered,
    State,
)
from photoenhance_ui.geometry import Size
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.pipeline.drafts import DRAFT_PX, draft_plan, draft_source, is_cheap
from photoenhance_ui.pipeline.plan import EngineFacts, UpscalerFacts, choose_networks, make_plan
from photoenhance_ui.request import BUILTIN, RESAMPLE_ONLY, Faces, Precision, Request
from photoenhance_ui.settings import Settings
from testing.by_hand import face_at
from testing.driver import wait_until
from testing.photos import PhotoMaker, skimage_photo
from testing.stand_ins import LARGE, StandInNetworks

FACTS = EngineFacts(
    "cpu", "",
    {
        BUILTIN: UpscalerFacts(2, None, 0.44e6),
        "general": UpscalerFacts(4, None, 1.21e6),
        LARGE: UpscalerFacts(4, None, 17.9e6),
    },
)  # fmt: skip
WISH = Request(upscaler=LARGE, scale=4, faces=Faces.NONE)


def cheap(upscaler: str, faces: int = 0, *, fast: bool = False, size: Size | None = None) -> bool:
    request = Request(upscaler=upscaler, precision=Precision.EXACT)
    choice = choose_networks(upscaler, 2, FACTS)
    plan = make_plan(size or Size(700, 464), request, choice, FACTS)
    return is_cheap(plan, faces, FACTS, runs_fast=fast)


def test_a_draft_is_made_where_it_costs_under_a_tenth_of_the_final() -> None:
    assert cheap(LARGE)
    assert not cheap("general")
    assert not cheap("general", faces=2)  # 0.14 of 1.26 tera-operations
    assert cheap("general", faces=3)
    assert cheap("general", faces=1, fast=True)
    assert cheap("general", size=Size(6000, 4000))  # at a screen's size it costs little


def test_the_built_in_network_is_its_own_draft_and_resampling_needs_none() -> None:
    assert not cheap(BUILTIN, faces=9)
    assert not cheap(RESAMPLE_ONLY, faces=9)


def test_without_the_built_in_network_there_is_no_draft() -> None:
    plan = make_plan(Size(700, 464), WISH, choose_networks(LARGE, 4, FACTS), FACTS)
    assert not is_cheap(plan, 0, replace(FACTS, upscalers={}), runs_fast=True)


@pytest.mark.parametrize(
    ("source", "scale", "draft"),
    [
        (Size(300, 200), 4, Size(1200, 800)),
        (Size(900, 600), 4, Size(2048, 1365)),
        (Size(200, 6000), 2, Size(68, 2048)),
        (Size(6000, 4000), 1.5, Size(2048, 1365)),
    ],
)
def test_a_draft_is_as_large_as_the_final_or_a_screen(
    source: Size, scale: float, draft: Size
) -> None:
    request = replace(WISH, scale=scale)
    final = make_plan(source, request, choose_networks(LARGE, scale, FACTS), FACTS)
    plan = draft_plan(final, FACTS, runs_fast=True)
    assert plan.source == draft_source(source)
    assert plan.output == draft
    assert (plan.upscaler, plan.precision, plan.warnings) == (BUILTIN, "fast", ())
    assert draft_plan(final, FACTS, runs_fast=False).precision == "exact"


# In the engine and in a batch


@pytest.fixture
def networks() -> StandInNetworks:
    return StandInNetworks()


def begin(
    engine: Engine, job: str, request: Request = WISH, owner: str = "me", drafts: bool = True
) -> Iterator[Event]:
    photo = Photo(skimage_photo("astronaut", 200), "a.png", "PNG")
    choice = choose_networks(request.upscaler, request.scale, engine.facts())
    return engine.enhance(job, owner, photo, request, choice, drafts=drafts)


def kinds(events: Iterator[Event]) -> list[type]:
    return [type(event) for event in events if not isinstance(event, Progress)]


def drafts_of(events: list[Event]) -> list[DraftRendered]:
    return [event for event in events if isinstance(event, DraftRendered)]


def test_the_draft_is_the_built_in_networks_and_the_final_as_without(
    engine: Engine, networks: StandInNetworks
) -> None:
    events = list(begin(engine, "1"))
    (draft,) = drafts_of(events)
    assert draft.photo.pixels.shape == (800, 800, 3)
    assert networks.work == [(BUILTIN, "fast"), (LARGE, "exact")]
    final, plain = events[-1], list(begin(engine, "2", drafts=False))
    assert not drafts_of(plain)
    assert isinstance(final, Rendered)
    assert final.networks == (LARGE,)
    np.testing.assert_array_equal(final.photo.pixels, plain[-1].photo.pixels)  # type: ignore[union-attr]


def test_it_is_made_when_the_faces_are_counted(engine: Engine, networks: StandInNetworks) -> None:
    networks.faces = (face_at(50, 50, 60),)
    events = begin(engine, "1", replace(WISH, faces=Faces.ALL))
    order = kinds(events)
    assert order.index(DraftRendered) == order.index(FacesFound) + 1
    assert [name for name, _ in networks.work] == [
        "detector", BUILTIN, "restorer", "parser", LARGE,
    ]  # fmt: skip


def test_a_draft_that_fails_leaves_the_final(engine: Engine, networks: StandInNetworks) -> None:
    def trouble(work: Work) -> None:
        if work.network == BUILTIN:
            raise MemoryExhausted("No.")

    networks.hook = trouble
    events = list(begin(engine, "1"))
    assert not drafts_of(events)
    assert isinstance(events[-1], Rendered)


def test_a_cancel_is_seen_while_a_draft_is_made(engine: Engine, networks: StandInNetworks) -> None:
    networks.hook = lambda work: engine.cancel("1")
    events = list(begin(engine, "1"))
    assert isinstance(events[-1], Cancelled)
    assert networks.work == [(BUILTIN, "fast")]


def test_an_engine_for_drafts_makes_their_network_ready_at_the_start(
    networks: StandInNetworks, settings: Settings
) -> None:
    with open_engine(settings, networks=networks, drafts=True):
        pass
    assert networks.prepared == [(BUILTIN, False), (BUILTIN, True)]  # auto, drafts
    assert networks.work == [], "nothing was computed in a photo's place"


def test_an_engine_without_drafts_makes_nothing_ready_before_a_photo_asks(
    networks: StandInNetworks, settings: Settings
) -> None:
    with open_engine(settings, networks=networks):
        pass
    assert networks.prepared == []


def test_nobodys_first_photo_waits_for_a_draft(engine: Engine, networks: StandInNetworks) -> None:
    """One's draft is skipped while another's first waits; that one's is not, nor one's next."""
    others: list[threading.Thread] = []
    seen: dict[str, list[Event]] = {}

    def follow(job: str, owner: str) -> None:
        seen[job] = list(begin(engine, job, owner=owner))

    def somebody_comes(work: Work) -> None:
        if not others:
            others.append(threading.Thread(target=follow, args=("other", "you")))
            others[0].start()
            wait_until(lambda: engine.queue().waiting == 1)

    networks.hook = somebody_comes
    follow("one", "me")  # its draft had begun: it is given up between two tiles
    others[0].join(timeout=60)
    follow("next", "me")
    assert not drafts_of(seen["one"])
    assert drafts_of(seen["other"])
    assert drafts_of(seen["next"])
    assert all(isinstance(events[-1], Rendered) for events in seen.values())


@pytest.mark.parametrize("at_once", [1, 4])
def test_of_several_first_photos_the_last_has_a_draft(settings: Settings, at_once: int) -> None:
    """So it is with batches, too, where all of them are begun at once."""
    networks = StandInNetworks(tiles_at_once=at_once)
    seen: dict[str, list[Event]] = {}

    def follow(owner: str) -> None:
        seen[owner] = list(begin(engine, owner, owner=owner))

    others = [threading.Thread(target=follow, args=(owner,)) for owner in ("b", "c")]

    def others_come(work: Work) -> None:
        networks.hook = lambda work: None
        for waiting, thread in enumerate(others, start=1):
            thread.start()
            wait_until(lambda: engine.queue().waiting == waiting)  # noqa: B023 - called at once

    networks.hook = others_come
    with open_engine(settings, networks=networks) as engine:
        follow("a")
        for thread in others:
            thread.join(timeout=60)
    assert {owner: len(drafts_of(events)) for owner, events in seen.items()} == {
        "a": 0, "b": 0, "c": 1,
    }  # fmt: skip
    assert (LARGE, 1) in networks.batches if at_once == 1 else (LARGE, 2) in networks.batches


def run(batch: Batch) -> list[str | None]:
    """Run to the end; the drafts that rows told while their photo was worked on."""

    async def collect() -> list[str | None]:
        return [c.row.draft async for c in batch.changes() if c.row.state is State.WORKING]

    return asyncio.run(asyncio.wait_for(collect(), timeout=60))


def test_a_batch_that_asks_for_drafts_shows_them_before_the_final(
    engine: Engine, settings: Settings, tmp_path: Path, photo_file: PhotoMaker
) -> None:
    files = Workspace(tmp_path / "batches").new_batch()
    batch = Batch(engine, "me", WISH, files, settings, drafts=True)
    batch.add(photo_file("chelsea", 100), "cat_enhanced.png")
    last = run(batch)[-1]
    assert last is not None
    assert Path(last).name == "cat_draft.jpg"
    with Image.open(last) as draft:
        assert draft.size == (400, 400)
        assert max(draft.size) <= DRAFT_PX
    (row,) = batch.rows
    assert row.state is State.DONE
    assert row.draft == last
    assert "_enhanced" not in last


def test_other_batches_have_none(
    engine: Engine, settings: Settings, tmp_path: Path, photo_file: PhotoMaker
) -> None:
    batch = Batch(engine, "me", WISH, Workspace(tmp_path / "batches").new_batch(), settings)
    batch.add(photo_file("chelsea", 100))
    assert set(run(batch)) == {None}
