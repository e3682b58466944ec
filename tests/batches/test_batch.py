"""Batches of real files through a real engine: streaming, isolation, cancel, retry, joining."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.current import CurrentBatches
from photoenhance_ui.batches.entries import Change
from photoenhance_ui.batches.storage import BatchFolder, Place, Workspace
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.events import State
from photoenhance_ui.request import Request
from photoenhance_ui.settings import Settings
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker

REQUEST = Request(upscaler="builtin")
NAMES = ("astronaut", "chelsea", "coffee", "rocket")

Begin = Callable[..., Batch]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "batches")


@pytest.fixture
def begin(engine: Engine, settings: Settings, workspace: Workspace) -> Begin:
    def make(request: Request = REQUEST, **changes: object) -> Batch:
        return Batch(engine, "me", request, workspace.new_batch(), replace(settings, **changes))

    return make


def run(batch: Batch) -> list[Change]:
    async def collect() -> list[Change]:
        return [change async for change in batch.changes()]

    return asyncio.run(asyncio.wait_for(collect(), timeout=120))


def states(batch: Batch) -> list[State]:
    return [row.state for row in batch.rows]


def test_each_photo_is_there_as_soon_as_it_is_finished(
    begin: Begin, photo_file: PhotoMaker
) -> None:
    batch = begin()
    for name in NAMES:
        batch.add(photo_file(name))

    async def watch() -> list[list[State]]:
        seen = []
        async for change in batch.changes():
            if change.row.state is State.DONE:
                assert Path(change.row.output or "").exists()
                seen.append(states(batch))
        return seen

    seen = asyncio.run(watch())
    assert len(seen) == 4, batch.rows
    assert seen[0][-1] is State.QUEUED  # the last one was not begun
    assert states(batch) == [State.DONE] * 4
    assert [path.name for path in batch.finished] == [f"{name}_enhanced.png" for name in NAMES]
    with Image.open(batch.finished[0]) as result:
        assert result.size == (96, 96)


def test_the_row_tells_what_was_done(begin: Begin, photo_file: PhotoMaker) -> None:
    batch = begin()
    photo_id = batch.add(photo_file("chelsea"), "Katze – 猫.png")
    run(batch)
    row = batch.row(photo_id)
    assert row.name == "Katze – 猫.png"
    assert (row.width, row.height, row.faces) == (96, 96, 0)
    assert row.networks == ("builtin",)
    assert row.progress == 1.0
    assert row.seconds is not None and row.seconds > 0
    assert row.faithfulness_db is not None and row.faithfulness_db > 25
    assert row.output is not None and row.output.endswith("Katze – 猫_enhanced.png")


def test_bad_files_fail_alone_each_with_its_sentence(
    begin: Begin, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    broken, empty, large = tmp_path / "broken.jpg", tmp_path / "empty.png", tmp_path / "large.png"
    broken.write_text("this is a text")
    empty.touch()
    large.write_bytes(b"\0" * 200_000)
    batch = begin(max_megabytes=0.1, max_photos=6)
    files = (photo_file("chelsea"), broken, empty, large, tmp_path / "gone.png")
    for path in (*files, photo_file("coffee"), photo_file("rocket")):
        batch.add(path)
    changes = run(batch)
    assert [row.code for row in batch.rows] == [
        None, "not_a_photo", "photo_empty", "file_too_large", "photo_missing", None,
        "too_many_photos",
    ]  # fmt: skip
    assert all(row.reason and row.reason.endswith(".") for row in batch.rows if row.code)
    told = {change.photo_id for change in changes if change.row.state.settled}
    assert told == set(batch.ids)


def test_a_photo_that_fails_in_the_middle_can_be_retried(
    begin: Begin, photo_file: PhotoMaker, networks: HookedNetworks
) -> None:
    batch = begin()
    batch.add(photo_file("chelsea"))
    bad = batch.add(photo_file("coffee", side=40))

    def trouble(work: object) -> None:
        if work.inputs.shape[1] == 40:  # type: ignore[attr-defined]
            raise MemoryError

    networks.hook = trouble
    run(batch)
    assert states(batch) == [State.DONE, State.FAILED]
    assert batch.row(bad).code == "memory_exhausted"
    networks.hook = lambda work: None
    assert batch.retry() == 1
    assert batch.row(bad).state is State.QUEUED
    assert batch.row(bad).reason is None
    run(batch)
    assert states(batch) == [State.DONE, State.DONE]


def test_a_full_disk_fails_the_photo_it_meets(
    engine: Engine, settings: Settings, workspace: Workspace, photo_file: PhotoMaker
) -> None:
    class FullOnce:
        def __init__(self, files: BatchFolder) -> None:
            self._files, self.full = files, True

        def __getattr__(self, name: str) -> object:
            return getattr(self._files, name)

        def place_for(self, photo_id: str, name: str) -> Place:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self._files.place_for(photo_id, name)

    files = FullOnce(workspace.new_batch())
    batch = Batch(engine, "me", REQUEST, files, settings)  # type: ignore[arg-type]
    batch.add(photo_file("chelsea"))
    run(batch)
    assert batch.rows[0].code == "disk_full"
    assert batch.finished == []
    files.full = False
    batch.retry()
    run(batch)
    assert states(batch) == [State.DONE]


def test_photos_added_while_it_runs_join(begin: Begin, photo_file: PhotoMaker) -> None:
    batch = begin(in_flight=1)
    batch.add(photo_file("chelsea"))
    late = [photo_file("coffee"), photo_file("rocket")]

    async def watch() -> None:
        async for change in batch.changes():
            if change.row.state is State.DONE and late:
                batch.add(late.pop())

    asyncio.run(asyncio.wait_for(watch(), timeout=60))
    assert states(batch) == [State.DONE] * 3


def test_cancelling_one_photo_leaves_the_others(
    begin: Begin, photo_file: PhotoMaker, networks: HookedNetworks
) -> None:
    batch = begin()
    ids = [batch.add(photo_file(name, side=300)) for name in NAMES]
    networks.hold()

    def meddle() -> None:
        networks.began.acquire(timeout=60)
        batch.cancel(ids[0])  # worked on
        batch.cancel(ids[3])  # not begun: only three are in flight
        networks.release()

    meddler = threading.Thread(target=meddle)
    meddler.start()
    run(batch)
    meddler.join()
    assert states(batch) == [State.CANCELLED, State.DONE, State.DONE, State.CANCELLED]
    assert batch.rows[0].reason == "It was cancelled."
    assert batch.retry() == 2
    run(batch)
    assert states(batch) == [State.DONE] * 4


async def first_of(changes: AsyncIterator[Change], state: State) -> None:
    async for change in changes:
        if change.row.state is state:
            return


def test_a_reader_that_goes_away_cancels_within_one_tile(
    begin: Begin, photo_file: PhotoMaker, networks: HookedNetworks
) -> None:
    batch = begin()
    for name in NAMES:
        batch.add(photo_file(name, side=300))
    networks.hold()

    async def leave() -> None:
        changes = batch.changes()
        await first_of(changes, State.WORKING)
        await asyncio.to_thread(networks.began.acquire, timeout=60)
        await changes.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    assert states(batch) == [State.CANCELLED] * 4
    networks.release()
    assert batch.finished == []
    assert networks.runs == 1
    assert not batch.watched
    batch.retry()
    run(batch)
    assert states(batch) == [State.DONE] * 4


def test_a_cancelled_task_cancels_its_batch(
    begin: Begin, photo_file: PhotoMaker, networks: HookedNetworks
) -> None:
    batch = begin()
    batch.add(photo_file("chelsea", side=300))
    networks.hold()

    async def cancelled() -> None:
        async def watch() -> None:
            async for _ in batch.changes():
                pass

        task = asyncio.create_task(watch())
        await asyncio.to_thread(networks.began.acquire, timeout=60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    networks.release()
    assert states(batch) == [State.CANCELLED]


def test_a_second_reader_ends_at_once(begin: Begin, photo_file: PhotoMaker) -> None:
    batch = begin()
    batch.add(photo_file("chelsea"))

    async def both() -> tuple[int, int]:
        first = batch.changes()
        count = 0
        async for _ in first:
            count += 1
            second = [change async for change in batch.changes()]
            assert second == []
        return count, len(second)

    first, second = asyncio.run(both())
    assert first > 0
    assert second == 0


def test_at_most_so_many_are_in_flight(
    begin: Begin, photo_file: PhotoMaker, networks: HookedNetworks
) -> None:
    batch = begin(in_flight=2)
    for name in NAMES:
        batch.add(photo_file(name))

    async def watch() -> int:
        most = 0
        async for _ in batch.changes():
            most = max(most, states(batch).count(State.WORKING))
        return most

    assert asyncio.run(watch()) <= 2
    assert networks.most_at_once == 1


def test_the_time_left_is_learned_from_finished_photos(
    begin: Begin, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    batch = begin(in_flight=1)
    assert batch.eta_seconds() == 0
    for name in NAMES:
        batch.add(photo_file(name))
    (broken := tmp_path / "broken.jpg").write_text("no photo")
    batch.add(broken)
    assert batch.eta_seconds() is None

    async def watch() -> list[float | None]:
        return [
            batch.eta_seconds()
            async for change in batch.changes()
            if change.row.state is State.DONE
        ]

    left = asyncio.run(watch())
    assert all(seconds is not None for seconds in left)
    assert left[0] > left[-1] == 0  # type: ignore[operator]
    assert batch.eta_seconds() == 0


def test_an_empty_batch_ends_at_once(begin: Begin) -> None:
    assert run(begin()) == []


def test_photos_join_the_batch_that_runs_and_after_it_where_they_ask_for_the_same(
    begin: Begin, photo_file: PhotoMaker, workspace: Workspace
) -> None:
    batches = CurrentBatches()
    other = replace(REQUEST, scale=3)
    first = batches.open_for("me", REQUEST, begin)
    first.add(photo_file("chelsea"))
    assert batches.open_for("me", other, begin) is first
    assert batches.open_for("you", REQUEST, begin) is not first
    run(first)
    assert batches.current("me") is first
    assert batches.open_for("me", REQUEST, begin) is first
    first.add(photo_file("coffee"))
    run(first)
    assert states(first) == [State.DONE, State.DONE]
    second = batches.open_for("me", other, lambda: begin(other))
    assert second is not first
    second.add(photo_file("coffee"))
    run(second)
    workspace.sweep(keep_hours=-1)
    assert batches.open_for("me", other, lambda: begin(other)) is not second


def test_a_full_batch_that_ended_is_followed_by_a_new_one(
    begin: Begin, photo_file: PhotoMaker
) -> None:
    batches = CurrentBatches()
    first = batches.open_for("me", REQUEST, lambda: begin(max_photos=1))
    first.add(photo_file("chelsea"))
    run(first)
    assert batches.open_for("me", REQUEST, begin) is not first


def test_photos_that_find_no_room_together_begin_a_new_batch(
    begin: Begin, photo_file: PhotoMaker
) -> None:
    batches = CurrentBatches()
    first = batches.open_for("me", REQUEST, lambda: begin(max_photos=3))
    first.add(photo_file("chelsea"))
    run(first)
    assert batches.open_for("me", REQUEST, begin, 2) is first
    assert batches.open_for("me", REQUEST, begin, 3) is not first


def test_only_a_batch_that_ended_is_cleared(begin: Begin, photo_file: PhotoMaker) -> None:
    batches = CurrentBatches()
    batch = batches.open_for("me", REQUEST, begin)
    batch.add(photo_file("chelsea"))
    batches.clear("me")
    assert batches.current("me") is batch
    run(batch)
    batches.clear("me")
    assert batches.current("me") is None


def test_auto_is_settled_when_the_batch_begins(
    begin: Begin, photo_file: PhotoMaker, networks: HookedNetworks, settings: Settings
) -> None:
    batch = begin(replace(REQUEST, upscaler="auto"))
    batch.add(photo_file("chelsea"))
    run(batch)
    assert batch.rows[0].networks == ("builtin",)
