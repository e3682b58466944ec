import os
import shutil
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from photoenhance_ui.batches.storage import (
    MAX_ZIPS,
    BatchFolder,
    Workspace,
    sweep_uploads,
    unique_name,
    write_zip,
)


def make_old(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    for each in (*path.rglob("*"), path):
        os.utime(each, (then, then))


def test_an_input_outlives_its_upload(tmp_path: Path) -> None:
    upload = tmp_path / "upload.jpg"
    upload.write_bytes(b"pixels")
    taken = Workspace(tmp_path / "batches").new_batch().take("1", upload)
    upload.unlink()
    assert taken.read_bytes() == b"pixels"


def test_a_batch_is_removed_a_set_time_after_it_ended(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "batches")
    ended, fresh = workspace.new_batch(), workspace.new_batch()
    for batch in (ended, fresh):
        batch.begin()
        batch.end()
    make_old(ended.folder, hours=25)
    assert workspace.sweep(keep_hours=24) == 1
    assert not ended.folder.exists()
    assert fresh.folder.exists()


def test_a_running_batch_outlasts_every_age(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "batches")
    batch = workspace.new_batch()
    batch.begin()
    make_old(batch.folder, hours=10_000)
    assert workspace.sweep(keep_hours=0) == 0
    assert batch.folder.exists()


def test_a_batch_that_runs_again_is_kept_although_it_had_ended(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "batches")
    batch = workspace.new_batch()
    batch.begin()
    batch.end()
    make_old(batch.folder, hours=10_000)
    batch.begin()
    assert workspace.sweep(keep_hours=24) == 0


def test_a_batch_that_begins_while_others_are_removed_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "batches")
    batches = [workspace.new_batch() for _ in range(2)]
    for batch in batches:
        batch.end()
        make_old(batch.folder, hours=25)
    remove = shutil.rmtree

    def slowly(folder: Path, **options: bool) -> None:
        for batch in batches:
            if batch.folder != folder:
                batch.begin()
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", slowly)
    assert workspace.sweep(keep_hours=24) == 1
    assert [batch.exists() for batch in batches].count(True) == 1


def test_a_batch_whose_folder_is_gone_ends_all_the_same(tmp_path: Path) -> None:
    batch = Workspace(tmp_path / "batches").new_batch()
    batch.begin()
    shutil.rmtree(batch.folder)
    batch.end()
    assert not batch.exists()


def test_what_a_dead_server_left_goes_after_a_week(tmp_path: Path) -> None:
    left = Workspace(tmp_path / "batches").new_batch()
    left.begin()
    later = Workspace(tmp_path / "batches")
    make_old(left.folder, hours=6 * 24)
    assert later.sweep(keep_hours=24) == 0
    make_old(left.folder, hours=8 * 24)
    assert later.sweep(keep_hours=24) == 1


def test_old_uploads_go_and_batches_stay(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "batches")
    batch = workspace.new_batch()
    upload = tmp_path / "abc" / "photo.jpg"
    upload.parent.mkdir()
    upload.write_bytes(b"pixels")
    taken = batch.take("1", upload)
    make_old(tmp_path, hours=48)
    assert sweep_uploads(tmp_path, keep_hours=24, spare=[workspace.root]) == 1
    assert not upload.exists()
    assert taken.exists()


def test_equal_names_stay_apart_in_a_zip(tmp_path: Path) -> None:
    paths = []
    for folder, text in (("a", "one"), ("b", "two"), ("c", "three")):
        path = tmp_path / folder / ("照片.JPG" if folder == "c" else "照片.jpg")
        path.parent.mkdir()
        path.write_text(text)
        paths.append(path)
    target = write_zip(paths, tmp_path / "out" / "all.zip")
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["照片.jpg", "照片 (2).jpg", "照片 (3).JPG"]
        assert [archive.read(name) for name in archive.namelist()] == [b"one", b"two", b"three"]


def test_a_zip_that_cannot_be_finished_is_not_left_behind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_zip([tmp_path / "missing.jpg"], tmp_path / "all.zip")
    assert list(tmp_path.iterdir()) == []


def test_unique_names_without_a_suffix() -> None:
    taken: set[str] = set()
    assert [unique_name("photo", taken) for _ in range(2)] == ["photo", "photo (2)"]


@pytest.fixture
def finished(tmp_path: Path) -> tuple[BatchFolder, list[Path]]:
    """A batch, and twenty results of it."""
    batch = Workspace(tmp_path / "batches").new_batch()
    results = [batch.folder / f"{number}.jpg" for number in range(20)]
    for path in results:
        path.write_bytes(path.name.encode() * 10_000)
    return batch, results


def test_zips_that_are_asked_for_at_once_are_all_there(
    finished: tuple[BatchFolder, list[Path]],
) -> None:
    batch, results = finished
    wanted = [results, results, results[:5], results[5:], results[::2]]
    for _ in range(10):
        with ThreadPoolExecutor(len(wanted)) as threads:
            made = list(threads.map(batch.zipped, wanted))
        for path, contents in zip(made, wanted, strict=True):
            with zipfile.ZipFile(path) as archive:
                assert archive.namelist() == [each.name for each in contents]
                assert archive.testzip() is None
        assert made[0] == made[1]


def test_old_zips_do_not_pile_up(finished: tuple[BatchFolder, list[Path]]) -> None:
    batch, results = finished
    old = batch.zipped(results[:1])
    make_old(old.parent, hours=1)
    made = [batch.zipped(results[number:]) for number in range(MAX_ZIPS + 3)]
    assert not old.exists()
    assert len(list((batch.folder / "zip").iterdir())) == MAX_ZIPS
    assert made[-1].exists()


def test_a_zip_holds_a_file_as_it_is_now(finished: tuple[BatchFolder, list[Path]]) -> None:
    batch, results = finished
    before = batch.zipped(results[:1])
    results[0].write_bytes(b"blended anew")
    with zipfile.ZipFile(batch.zipped(results[:1])) as archive:
        assert archive.read(results[0].name) == b"blended anew"
    assert before.exists()
