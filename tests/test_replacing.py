import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from photoenhance_ui.errors import DiskFull, as_photoenhance_error
from photoenhance_ui.replacing import PARTS, replacing

ROUNDS = 100
WRITER = """
import sys
from pathlib import Path
from photoenhance_ui.replacing import replacing

letter, target = sys.argv[1], Path(sys.argv[2])
for _ in range({rounds}):
    with replacing(target) as part:
        part.write_text(letter * 10_000)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("before", [None, "old"])
def test_the_file_is_there_whole_when_the_block_ends(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_text(before)
    with replacing(path) as part:
        part.write_text("new")
        assert path.exists() == (before is not None)
        assert part.parent == path.parent
        assert list(tmp_path.glob(PARTS)) == [part]
    assert (path.read_text(), names(tmp_path)) == ("new", ["a.txt"])


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, GeneratorExit, MemoryError])
def test_a_failure_in_the_middle_leaves_what_was_there(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(failure), replacing(path) as part:
        part.write_text("ne")
        raise failure
    assert (path.read_text(), names(tmp_path)) == ("old", ["a.txt"])


def test_a_block_that_writes_nothing_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_a_folder_in_its_place_stays_and_no_part_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.mkdir()
    with pytest.raises(OSError), replacing(path) as part:
        part.write_text("new")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(OSError) as full, replacing(tmp_path / "a.txt") as part:
        part.symlink_to("/dev/full")
        part.write_bytes(b"?")
    assert isinstance(as_photoenhance_error(full.value), DiskFull)
    assert names(tmp_path) == []


def test_a_disk_that_is_full_only_when_it_is_flushed_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as raised, replacing(path) as part:
        part.write_text("new")
    assert isinstance(as_photoenhance_error(raised.value), DiskFull)
    assert (path.read_text(), names(tmp_path)) == ("old", ["a.txt"])


@pytest.mark.parametrize(
    "name", ["a b.txt", ".hidden", "-rf", "a\nb", "'\"$(x)", "海.png", "x" * 255, "é" * 127, "a."]
)
def test_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    with replacing(tmp_path / name) as part:
        part.write_text("new")
    assert names(tmp_path) == [name]


def test_a_file_that_only_its_owner_may_read_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as part:
        part.touch(0o600)
        part.write_text("new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_blocks_at_once_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("other")
        assert one != other
    assert (path.read_text(), names(tmp_path)) == ("one", ["a.txt"])


def test_two_processes_at_once_each_write_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("c" * 10_000)
    program = WRITER.format(rounds=ROUNDS)
    writers = [
        subprocess.Popen([sys.executable, "-c", program, letter, str(path)]) for letter in "ab"
    ]
    ended = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not ended.wait(0.001):
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    codes = [writer.wait(timeout=60) for writer in writers]
    ended.set()
    reader.join(timeout=60)
    assert codes == [0, 0]
    assert seen <= {letter * 10_000 for letter in "abc"}
    assert names(tmp_path) == ["a.txt"]
