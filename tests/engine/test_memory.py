"""Short of memory, tiles get smaller, stay so, and the report says it; the result is the same."""

import os
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.storage import Workspace
from photoenhance_ui.catalogue import Role
from photoenhance_ui.engine.engine import open_engine
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.engine.memory import (
    SMALLER_TILES,
    BatchSizes,
    TileSizes,
    available_bytes,
    give_back_freed,
    tile_bytes,
)
from photoenhance_ui.errors import MemoryExhausted
from photoenhance_ui.events import Event, Failed, Progress, Rendered, Started
from photoenhance_ui.geometry import Size
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.pipeline.plan import EngineFacts, UpscalerFacts, choose_networks, make_plan
from photoenhance_ui.request import BUILTIN, RESAMPLE_ONLY, Faces, Request
from photoenhance_ui.settings import TILE_LADDER_PX, Settings
from testing.by_hand import face_at
from testing.driver import run_to_end
from testing.photos import PhotoMaker, skimage_photo
from testing.processes import memory_mb
from testing.stand_ins import LARGE, StandInNetworks

WISH = Request(upscaler=BUILTIN, faces=Faces.NONE)


def warning(px: int) -> tuple[str, ...]:
    return (SMALLER_TILES.format(px=px),)


# In the engine


class SmallMachine:
    """A hook: a tile of more pixels than there is memory for ends as on a real device."""

    def __init__(self, side: int, role: Role = Role.UPSCALER) -> None:
        self.most, self.role, self.refused = side * side, role, 0

    def __call__(self, work: Work) -> None:
        if work.role is self.role and work.inputs[0].shape[0] * work.inputs[0].shape[1] > self.most:
            self.refused += 1
            raise MemoryExhausted("It ran out.")


@pytest.fixture
def networks() -> StandInNetworks:
    return StandInNetworks()


def enhanced(
    engine: Engine, request: Request = WISH, side: int = 500, *, drafts: bool = False
) -> list[Event]:
    photo = Photo(skimage_photo("astronaut", side), "a.png", "PNG")
    choice = choose_networks(request.upscaler, request.scale, engine.facts())
    return list(engine.enhance("1", "me", photo, request, choice, drafts=drafts))  # type: ignore[arg-type]


def rendered(events: list[Event]) -> Rendered:
    assert isinstance(events[-1], Rendered), events[-1]
    return events[-1]


def test_a_photo_is_begun_again_with_smaller_tiles_and_is_the_same(
    engine: Engine, networks: StandInNetworks
) -> None:
    plain = rendered(enhanced(engine))
    assert plain.warnings == ()
    networks.hook = machine = SmallMachine(320)
    events = enhanced(engine)
    assert machine.refused == 1
    assert rendered(events).warnings == warning(256)  # 384 would give the same single tile
    assert [e.warnings for e in events if isinstance(e, Started)] == [(), warning(256)]
    np.testing.assert_array_equal(rendered(events).photo.pixels, plain.photo.pixels)


def test_it_is_remembered_for_the_next_photos_of_that_network(
    engine: Engine, networks: StandInNetworks
) -> None:
    networks.hook = machine = SmallMachine(320)
    enhanced(engine)
    assert rendered(enhanced(engine)).warnings == warning(256)
    assert rendered(enhanced(engine, side=200)).warnings == ()  # one small tile, as always
    assert machine.refused == 1
    networks.hook = lambda work: None
    assert rendered(enhanced(engine, replace(WISH, upscaler=LARGE))).warnings == ()


def test_it_goes_down_as_far_as_it_takes(engine: Engine, networks: StandInNetworks) -> None:
    networks.hook = machine = SmallMachine(190)
    assert rendered(enhanced(engine)).warnings == warning(128)
    assert machine.refused == 3


def test_where_nothing_smaller_is_left_the_photo_fails_with_its_sentence(
    engine: Engine, networks: StandInNetworks
) -> None:
    networks.hook = SmallMachine(0)
    failed = enhanced(engine, side=100)[-1]
    assert failed == Failed("memory_exhausted", "It ran out.")
    networks.hook = lambda work: None
    assert rendered(enhanced(engine)).warnings == ()  # it was not the tiles


def test_a_face_network_that_runs_out_has_nothing_to_do_with_tiles(
    engine: Engine, networks: StandInNetworks
) -> None:
    networks.faces = (face_at(50, 50, 60),)
    networks.hook = machine = SmallMachine(320, Role.RESTORER)
    assert isinstance(enhanced(engine, replace(WISH, faces=Faces.ALL))[-1], Failed)
    assert machine.refused == 1


def test_a_draft_is_not_made_twice(engine: Engine, networks: StandInNetworks) -> None:
    networks.hook = SmallMachine(180)
    events = enhanced(engine, replace(WISH, upscaler=LARGE, scale=4), side=250, drafts=True)
    assert rendered(events).warnings == warning(128)
    assert [name for name, _ in networks.work][:2] == [BUILTIN, LARGE]
    assert networks.work.count((BUILTIN, "fast")) == 1


@pytest.mark.parametrize("megabytes", [100_000, 200, 1])
def test_little_memory_at_the_start_gives_smaller_tiles_at_once(
    networks: StandInNetworks, settings: Settings, megabytes: int
) -> None:
    expected = {100_000: (), 200: warning(192), 1: warning(128)}[megabytes]
    with open_engine(settings, networks=networks, memory_bytes=megabytes * 10**6) as engine:
        assert rendered(enhanced(engine)).warnings == expected


def test_the_seconds_tell_also_of_what_was_begun_in_vain(
    engine: Engine, networks: StandInNetworks, settings: Settings, tmp_path: Path,
    photo_file: PhotoMaker,
) -> None:  # fmt: skip
    machine = SmallMachine(320)

    def slow(work: Work) -> None:
        if not machine.refused:
            time.sleep(0.5)
        machine(work)

    networks.hook = slow
    batch = Batch(engine, "me", WISH, Workspace(tmp_path / "batches").new_batch(), settings)
    batch.add(photo_file("astronaut", 500))
    run_to_end(batch)
    (row,) = batch.rows
    assert row.warnings == warning(256)
    assert row.seconds is not None
    assert row.seconds >= 0.5


# Batches


def test_over_several_pictures_memory_lowers_the_batch_and_not_the_tiles(
    settings: Settings,
) -> None:
    networks = StandInNetworks((face_at(50, 50, 60),) * 3, tiles_at_once=4, faces_at_once=3)
    with open_engine(settings, networks=networks) as engine:
        wish = replace(WISH, faces=Faces.ALL, upscaler=LARGE)
        in_batches = rendered(enhanced(engine, wish, side=384))
        assert [size for _, size in networks.batches] == [1, 3, 3, 4]
        networks.batches.clear()

        def little_room(work: Work) -> None:
            if len(work.inputs) > 1:
                raise MemoryExhausted("It ran out.")

        networks.hook = little_room
        singly = rendered(enhanced(engine, wish, side=384))
        assert singly.warnings == ()
        np.testing.assert_array_equal(singly.photo.pixels, in_batches.photo.pixels)
        assert [size for _, size in networks.batches] == [1] * 11
        networks.hook = lambda work: None
        events = enhanced(engine, wish, side=384)
        assert [size for _, size in networks.batches] == [1] * 22, "it is remembered"
        assert [e.done for e in events if isinstance(e, Progress)][1:-1] == list(range(8))


def test_a_single_tile_that_is_too_large_goes_down_the_ladder_though_batches_are_computed(
    settings: Settings,
) -> None:
    networks = StandInNetworks(tiles_at_once=4)
    networks.hook = machine = SmallMachine(320)
    with open_engine(settings, networks=networks) as engine:
        assert rendered(enhanced(engine)).warnings == warning(256)
    assert machine.refused == 1


def test_a_batch_is_as_large_as_the_device_takes_until_memory_runs_out() -> None:
    at_once = BatchSizes(tiles=4, faces=8)
    tile, face, part = (
        Work(role, name, [])
        for role, name in (
            (Role.UPSCALER, BUILTIN), (Role.RESTORER, "restorer"), (Role.PARSER, "parser"),
        )
    )  # fmt: skip
    found = Work(Role.DETECTOR, "detector", [])
    assert [at_once.max_pictures(work) for work in (tile, face, part, found)] == [4, 8, 8, 1]
    facts = replace(FACTS, tiles_at_once=4, faces_at_once=8, detector="f", restorer="restorer",
                    parser="parser")  # fmt: skip
    choice = choose_networks(BUILTIN, 2, facts)
    plan = make_plan(Size(500, 500), replace(WISH, faces=Faces.ALL), choice, facts)
    assert at_once.fitted(plan) == plan
    at_once.lower("parser")
    assert at_once.fitted(plan) == replace(plan, faces_at_once=1)
    at_once.lower(BUILTIN)
    assert [at_once.max_pictures(work) for work in (tile, face, part)] == [1, 8, 1]
    assert at_once.fitted(plan) == replace(plan, tiles_at_once=1, faces_at_once=1)


# Sizes of tiles


FACTS = EngineFacts(
    "cpu", "", {BUILTIN: UpscalerFacts(2, None, 0.44e6, 20), "own": UpscalerFacts(4)}
)


def test_larger_tiles_need_more_memory_and_so_do_features_at_the_results_size() -> None:
    for name, facts in FACTS.upscalers.items():
        needs = [tile_bytes(name, facts, px) for px in TILE_LADDER_PX]
        assert needs == sorted(needs, reverse=True)
    same = UpscalerFacts(4)
    compact = tile_bytes("realesr-general-x4v3", same, 256)
    assert tile_bytes("RealESRGAN_x4plus", same, 256) > 5 * compact


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_gpus_memory_is_not_the_machines(device: str) -> None:
    facts = replace(FACTS, device=device)
    choice = choose_networks(BUILTIN, 2, facts)
    plan = make_plan(Size(2000, 1000), WISH, choice, facts)
    assert TileSizes(1).fitted(plan, facts) == plan
    assert TileSizes(1).fitted(plan, FACTS).warnings == warning(128)


def test_the_step_of_the_settings_is_lowered_too_and_never_raised() -> None:
    facts = replace(FACTS, tile_px=192)
    plan = make_plan(Size(2000, 1000), WISH, choose_networks(BUILTIN, 2, facts), facts)
    sizes = TileSizes(None)
    assert sizes.fitted(plan, facts) == plan
    assert sizes.lower(plan, facts)
    lowered = sizes.fitted(plan, facts)
    assert lowered.warnings == warning(128)
    assert not sizes.lower(lowered, facts)


def test_resampling_has_no_tiles() -> None:
    plan = make_plan(
        Size(9, 9), replace(WISH, upscaler=RESAMPLE_ONLY),
        choose_networks(RESAMPLE_ONLY, 2, FACTS), FACTS,
    )  # fmt: skip
    assert TileSizes(1).fitted(plan, FACTS) is plan


def test_a_step_that_another_photo_took_is_not_taken_twice() -> None:
    """Two photos were planned before memory ran out over a tile of each."""
    plan = make_plan(Size(500, 500), WISH, choose_networks(BUILTIN, 2, FACTS), FACTS)
    sizes = TileSizes(None)
    assert sizes.lower(plan, FACTS)
    after = sizes.fitted(plan, FACTS)
    assert sizes.lower(plan, FACTS)
    assert sizes.fitted(plan, FACTS) == after
    assert sizes.lower(after, FACTS)
    assert len(sizes.fitted(plan, FACTS).tiles) > len(after.tiles)


# Large photos


def test_for_a_large_photo_networks_make_room_when_their_part_is_done(
    engine: Engine, networks: StandInNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("photoenhance_ui.engine.photo_steps.LARGE_PIXELS", 1000 * 1000)
    networks.faces = (face_at(50, 50, 60),)
    wish = replace(WISH, faces=Faces.ALL, scale=2)
    enhanced(engine, wish, side=499)
    assert networks.room_made == []
    networks.work.clear()
    enhanced(engine, wish, side=500)
    assert [name for name, _ in networks.work] == ["detector", "restorer", "parser", BUILTIN]
    assert networks.room_made == [3, 4], "after the faces, and after the tiles"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_goes_back_to_the_system() -> None:
    blocks = [np.ones(8000) for _ in range(2000)]  # too small to be given back one by one
    last = np.ones(8000)  # the heap cannot shrink below it by itself
    blocks.clear()
    before = memory_mb(os.getpid()) or 0
    give_back_freed()
    assert (memory_mb(os.getpid()) or 0) < before - 60
    assert last.all()


# What the system tells


def told(root: Path, **files: str) -> int | None:
    places = {
        "meminfo": "proc/meminfo",
        "max": "sys/fs/cgroup/memory.max",
        "current": "sys/fs/cgroup/memory.current",
        "stat": "sys/fs/cgroup/memory.stat",
        "old_limit": "sys/fs/cgroup/memory/memory.limit_in_bytes",
        "old_usage": "sys/fs/cgroup/memory/memory.usage_in_bytes",
        "old_stat": "sys/fs/cgroup/memory/memory.stat",
    }
    for name, text in files.items():
        path = root / places[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return available_bytes(root)


MEMINFO = "MemTotal:   4000 kB\nMemFree:    100 kB\nMemAvailable:   3000 kB\n"


def test_a_system_that_says_nothing(tmp_path: Path) -> None:
    assert told(tmp_path) is None
    assert told(tmp_path, meminfo="MemTotal: 5 kB\n", max="max\n", current="7\n") is None


def test_what_the_machine_has_left(tmp_path: Path) -> None:
    assert told(tmp_path, meminfo=MEMINFO) == 3000 * 1024


def test_a_container_may_have_less(tmp_path: Path) -> None:
    stat = "anon 5\ninactive_file 100000\nactive_file 9\n"
    left = told(tmp_path, meminfo=MEMINFO, max="1000000\n", current="800000\n", stat=stat)
    assert left == 300_000
    assert told(tmp_path, current="2000000\n") == 0


def test_older_containers_too(tmp_path: Path) -> None:
    files = {"old_limit": "1000000", "old_usage": "400000"}
    stat = "inactive_file 5\ntotal_inactive_file 1000\n"
    assert told(tmp_path, meminfo=MEMINFO, **files, old_stat=stat) == 601_000
    unlimited = told(tmp_path, old_limit="9223372036854771712")
    assert unlimited == 3000 * 1024
