"""Batches outlive the program; whatever a journal says, only files of its batch are believed."""

import asyncio
import errno
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.current import CurrentBatches
from photoenhance_ui.batches.face_layers import FaceLayers
from photoenhance_ui.batches.journal import INTERRUPTED, LOST, Journals, Record
from photoenhance_ui.batches.storage import BatchFolder, Workspace
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.events import State
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.request import Request
from photoenhance_ui.settings import Settings
from testing.by_hand import face_at
from testing.photos import PhotoMaker
from testing.stand_ins import LARGE, StandInNetworks

WISH = Request(upscaler=LARGE, scale=3, face_strength=0.6)
OWNER = "browser:abc"


@pytest.fixture
def networks() -> StandInNetworks:
    return StandInNetworks([face_at(10, 12, 40)])


class Server:
    """What a server keeps of batches; a new one on the same folders is a server started again."""

    def __init__(self, folder: Path, engine: Engine, settings: Settings) -> None:
        self.workspace = Workspace(folder / "files" / "batches")
        self.journals = Journals(folder / "state")
        self.batches = CurrentBatches()
        self._engine, self._settings = engine, settings
        self.batches.restore(
            self._restored(files, record) for files, record in self.journals.left_in(self.workspace)
        )

    def _batch(self, owner: str, request: Request, files: BatchFolder) -> Batch:
        return Batch(
            self._engine, owner, request, files, self._settings,
            layers=FaceLayers(files.folder / "kept"), journal=self.journals.of(files),
        )  # fmt: skip

    def _restored(self, files: BatchFolder, record: Record) -> Batch:
        batch = self._batch(record.owner, record.request, files)
        batch.restore(record, files.taken)
        return batch

    def open(self, request: Request = WISH, owner: str = OWNER) -> Batch:
        def begin() -> Batch:
            return self._batch(owner, request, self.workspace.new_batch())

        return self.batches.open_for(owner, request, begin)


Start = Callable[[], Server]


@pytest.fixture
def start(tmp_path: Path, engine: Engine, settings: Settings) -> Start:
    return lambda: Server(tmp_path / "server", engine, settings)


def run(batch: Batch, until: Callable[[Batch], bool] = lambda batch: False) -> None:
    async def watch() -> None:
        changes = batch.changes()
        async for _ in changes:
            if until(batch):
                await changes.aclose()  # type: ignore[attr-defined]

    asyncio.run(asyncio.wait_for(watch(), timeout=60))


def journal_file(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "server" / "state" / "journals").iterdir()
    return path


def test_finished_photos_come_back_as_they_were(start: Start, photo_file: PhotoMaker) -> None:
    batch = start().open()
    ids = [batch.add(photo_file(name, 100)) for name in ("astronaut", "chelsea")]
    run(batch)
    batch.results.blend_again(ids[1], [0.1])
    again = start().batches.current(OWNER)
    assert again is not None
    assert again.request == WISH
    assert again.ids == ids
    assert again.rows == batch.rows
    assert [again.original(one) for one in ids] == [batch.original(one) for one in ids]
    assert [again.results.faces(one) for one in ids] == [batch.results.faces(one) for one in ids]
    row = again.results.blend_again(ids[0], [0.6])
    assert Path(row.output or "").read_bytes() == Path(batch.rows[0].output or "").read_bytes()
    assert again.settled


def test_unfinished_photos_come_back_to_be_retried(start: Start, photo_file: PhotoMaker) -> None:
    batch = start().open()
    for name in ("astronaut", "chelsea", "coffee"):
        batch.add(photo_file(name, 100))
    run(batch, until=lambda batch: bool(batch.finished))
    again = start().batches.current(OWNER)
    assert again is not None
    assert len(again.rows) == 3
    assert again.finished == batch.finished
    unfinished = [row for row in again.rows if row.output is None]
    assert {(row.state, row.reason) for row in unfinished} == {(State.CANCELLED, INTERRUPTED)}
    assert again.retry() == 2
    run(again)
    assert [row.state for row in again.rows] == [State.DONE] * 3


def test_the_journal_is_whole_when_a_photo_is_told(
    start: Start, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    """As somebody finds it whose program was killed just then."""
    batch = start().open()
    for name in ("astronaut", "chelsea"):
        batch.add(photo_file(name, 100))
    told: list[list[str]] = []

    def look(batch: Batch) -> bool:
        written = json.loads(journal_file(tmp_path).read_text())
        told.append([photo["row"]["state"] for photo in written["photos"]])
        assert told[-1].count("done") == len(batch.finished)
        return False

    run(batch, until=look)
    assert told[-1] == ["done", "done"]


def test_failed_photos_keep_their_reason(
    start: Start, photo_file: PhotoMaker, tmp_path: Path, networks: StandInNetworks
) -> None:
    def trouble(work: Work) -> None:
        raise RuntimeError

    networks.hook = trouble
    batch = start().open()
    batch.add(photo_file("astronaut", 100))
    batch.add(tmp_path / "missing.jpg")
    run(batch)
    again = start().batches.current(OWNER)
    assert again is not None
    assert [(row.state, row.code, row.reason) for row in again.rows] == [
        (row.state, row.code, row.reason) for row in batch.rows
    ]
    assert again.retry() == 1  # the other one's file was never there


def test_a_result_that_is_gone_can_be_made_again(start: Start, photo_file: PhotoMaker) -> None:
    batch = start().open()
    photo_id = batch.add(photo_file("astronaut", 100))
    run(batch)
    batch.results.blend_again(photo_id, [0.1])
    batch.finished[0].unlink()
    again = start().batches.current(OWNER)
    assert again is not None
    assert (again.rows[0].state, again.rows[0].reason) == (State.CANCELLED, LOST)
    again.retry()
    run(again)
    assert again.finished[0].exists()
    assert [face.strength for face in again.results.faces(photo_id)] == [0.6]


def test_what_was_left_or_replaced_does_not_come_back(start: Start, photo_file: PhotoMaker) -> None:
    server = start()
    batch = server.open()
    batch.add(photo_file("astronaut", 100))
    run(batch)
    second = server.open(replace(WISH, scale=2))
    assert second is not batch
    photo_id = second.add(photo_file("chelsea", 100))
    run(second)
    again = start()
    restored = again.batches.current(OWNER)
    assert restored is not None
    assert restored.ids == [photo_id]
    again.batches.clear(OWNER)
    restored.results.blend_again(photo_id, [0.0])  # a page that is still open
    assert start().batches.current(OWNER) is None


def test_what_could_not_be_replaced_comes_back(start: Start, photo_file: PhotoMaker) -> None:
    def full_disk() -> Batch:
        raise OSError(errno.ENOSPC, "No space left on device")

    server = start()
    batch = server.open()
    batch.add(photo_file("astronaut", 100))
    run(batch)
    with pytest.raises(OSError, match="No space"):
        server.batches.open_for(OWNER, replace(WISH, scale=2), full_disk)
    assert server.batches.current(OWNER) is batch
    restored = start().batches.current(OWNER)
    assert restored is not None
    assert restored.rows == batch.rows


def test_an_owner_with_two_journals_gets_the_newer_batch(
    start: Start, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    for name in ("astronaut", "chelsea"):  # each server knows nothing of the other
        server = start()
        server.batches = CurrentBatches()
        batch = server.open()
        batch.add(photo_file(name, 100))
        run(batch)
    restored = start().batches.current(OWNER)
    assert restored is not None
    assert [row.name for row in restored.rows] == ["chelsea.png"]
    journal_file(tmp_path)  # there is one only


def test_everybody_gets_their_own(start: Start, photo_file: PhotoMaker) -> None:
    server = start()
    for owner in ("user:a", "user:b"):
        batch = server.open(owner=owner)
        batch.add(photo_file("astronaut", 100), f"{owner[-1]}.png")
        run(batch)
    again = start()
    names = {owner: again.batches.current(f"user:{owner}").rows[0].name for owner in "ab"}  # type: ignore[union-attr]
    assert names == {"a": "a.png", "b": "b.png"}


def test_journals_are_for_our_eyes_and_go_with_their_batches(
    start: Start, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    server = start()
    batch = server.open()
    batch.add(photo_file("astronaut", 100))
    run(batch)
    path = journal_file(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.journals.sweep(server.workspace)
    assert path.exists()
    server.workspace.sweep(keep_hours=-1)
    server.journals.sweep(server.workspace)
    assert not path.exists()


def test_a_batch_whose_server_died_ages_from_the_restart_on(
    start: Start, photo_file: PhotoMaker
) -> None:
    server = start()
    batch = server.open()
    batch.add(photo_file("astronaut", 100))
    run(batch)
    (mark,) = server.workspace.root.glob("*/ended")
    mark.unlink()
    assert start().workspace.sweep(keep_hours=1) == 0
    assert mark.exists()


# What is read is not trusted


@pytest.fixture
def left(start: Start, photo_file: PhotoMaker, tmp_path: Path) -> Path:
    batch = start().open()
    batch.add(photo_file("astronaut", 100))
    run(batch)
    return journal_file(tmp_path)


def change(path: Path, *keys: str | int, to: object) -> None:
    written = json.loads(path.read_text())
    place = written
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    path.write_text(json.dumps(written))


ROW = ("photos", 0, "row")


@pytest.mark.parametrize(
    ("keys", "to"),
    [
        (("version",), 2),
        (("owner",), None),
        (("began",), float("nan")),
        (("request", "scale"), 99),
        (("request", "more"), 1),
        (("photos",), None),
        (("photos", 0, "id"), "../../in"),
        (("photos", 0, "strengths"), [2]),
        (("photos", 0, "strengths"), "a"),
        ((*ROW, "state"), "great"),
        ((*ROW, "name"), 7),
        ((*ROW, "width"), "1"),
        ((*ROW, "seconds"), True),
        ((*ROW, "networks"), "a"),
        ((*ROW, "output"), "../../../state/journals/secret"),
        ((*ROW, "output"), "/etc/passwd"),
        ((*ROW, "output"), "in/file"),
    ],
)
def test_an_odd_journal_is_ignored(
    left: Path, start: Start, keys: tuple[str | int, ...], to: object
) -> None:
    assert start().batches.current(OWNER) is not None
    change(left, *keys, to=to)
    assert start().batches.current(OWNER) is None


def test_what_was_half_written_goes_at_the_next_start(left: Path, start: Start) -> None:
    part = left.with_name(".abc.part")
    part.write_text("{")
    assert start().batches.current(OWNER) is not None
    assert not part.exists()


def test_a_link_that_leads_out_is_not_followed(left: Path, start: Start, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "server" / "files" / "batches" / left.stem / "out"
    (folder / "link_enhanced.png").symlink_to(tmp_path / "secret")
    change(left, *ROW, "output", to="out/link_enhanced.png")
    assert start().batches.current(OWNER) is None


@pytest.mark.parametrize("name", ["..", "x", "A" * 32])
def test_a_journal_of_no_batch_of_ours_is_ignored(left: Path, start: Start, name: str) -> None:
    left.rename(left.with_name(f"{name}.json"))
    assert start().batches.current(OWNER) is None


@hypothesis_settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode), cut=st.integers(0))
def test_whatever_is_in_the_file_the_server_starts(
    left: Path, start: Start, content: bytes, cut: int
) -> None:
    whole = left.read_bytes()
    try:
        for broken in (content, whole[: cut % len(whole)], b"[" * 100_000):
            left.write_bytes(broken)
            assert start().batches.current(OWNER) is None
    finally:
        left.write_bytes(whole)


def test_a_journal_that_cannot_be_written_ends_no_work(
    start: Start, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    batch = start().open()
    folder = tmp_path / "server" / "state" / "journals"
    folder.rmdir()
    folder.touch()
    batch.add(photo_file("astronaut", 100))
    run(batch)
    assert batch.rows[0].state is State.DONE
