import errno
import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from photoenhance_ui.catalogue import Architecture, Role, WeightFile
from photoenhance_ui.errors import DiskFull, DownloadFailed
from photoenhance_ui.weights import downloads
from photoenhance_ui.weights.downloads import DownloadPhase, Downloads, Stopped, download
from testing.file_server import Fault, FileServer, serving

CONTENT = random.Random(0).randbytes(400_000)


def published(url: str, content: bytes = CONTENT, name: str = "network") -> WeightFile:
    return WeightFile(
        file=f"{name}.pth",
        url=url,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        licence="MIT",
        role=Role.UPSCALER,
        architecture=Architecture.SRVGG,
        purpose="a test",
    )


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(CONTENT) as file_server:
        yield file_server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "weights"  # made by the download


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_file_arrives_whole_and_tells_how_far_it_is(server: FileServer, folder: Path) -> None:
    told: list[tuple[int, int]] = []
    path = download(published(server.url), folder, lambda *step: told.append(step))
    assert path == folder / "network.pth"
    assert path.read_bytes() == CONTENT
    assert visible(folder) == ["network.pth"]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert len(told) > 2


def test_what_is_there_and_whole_is_not_fetched_again(server: FileServer, folder: Path) -> None:
    download(published(server.url), folder)
    download(published(server.url), folder)
    assert len(server.ranges_asked) == 1


@pytest.mark.parametrize("damage", [CONTENT[:-1], CONTENT[:-1] + b"?", b""])
def test_a_damaged_file_under_the_real_name_is_replaced(
    server: FileServer, folder: Path, damage: bytes
) -> None:
    folder.mkdir()
    (folder / "network.pth").write_bytes(damage)
    assert download(published(server.url), folder).read_bytes() == CONTENT


def test_a_break_goes_on_where_it_broke(server: FileServer, folder: Path) -> None:
    server.faults.extend([Fault.BREAKS_HALFWAY, Fault.BREAKS_HALFWAY])
    assert download(published(server.url), folder).read_bytes() == CONTENT
    half, three_quarters = len(CONTENT) // 2, len(CONTENT) * 3 // 4
    assert server.ranges_asked == [None, f"bytes={half}-", f"bytes={three_quarters}-"]


def test_a_flaky_line_may_break_as_often_as_it_brings_bytes(
    server: FileServer, folder: Path
) -> None:
    server.faults.extend([Fault.BREAKS_HALFWAY] * (downloads.ATTEMPTS + 3))
    assert download(published(server.url), folder).read_bytes() == CONTENT


def test_without_progress_it_is_given_up_and_what_came_is_kept(
    server: FileServer, folder: Path
) -> None:
    server.faults.extend([Fault.BREAKS_HALFWAY, *[Fault.BROKEN_SERVER] * downloads.ATTEMPTS])
    with pytest.raises(DownloadFailed, match="status 500"):
        download(published(server.url), folder)
    assert visible(folder) == ["network.pth.part"]
    server.faults.clear()
    assert download(published(server.url), folder).read_bytes() == CONTENT
    assert server.ranges_asked[-1] == f"bytes={len(CONTENT) // 2}-"


def test_a_server_without_ranges_starts_anew(server: FileServer, folder: Path) -> None:
    server.knows_ranges = False
    server.faults.append(Fault.BREAKS_HALFWAY)
    assert download(published(server.url), folder).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "fault", [Fault.BROKEN_SERVER, Fault.BUSY, Fault.REDIRECTS, Fault.WRONG_START]
)
def test_passing_faults_are_overcome(server: FileServer, folder: Path, fault: Fault) -> None:
    server.faults.extend([Fault.BREAKS_HALFWAY, fault])
    assert download(published(server.url), folder).read_bytes() == CONTENT
    assert visible(folder) == ["network.pth"]


def test_a_missing_file_is_asked_for_once(server: FileServer, folder: Path) -> None:
    server.faults.append(Fault.NOT_FOUND)
    with pytest.raises(DownloadFailed, match="status 404"):
        download(published(server.url), folder)
    assert len(server.ranges_asked) == 1
    assert visible(folder) == []


def test_redirects_in_a_circle_are_told(server: FileServer, folder: Path) -> None:
    server.faults.append(Fault.REDIRECTS_FOR_EVER)
    with pytest.raises(DownloadFailed, match="TooManyRedirects"):
        download(published(server.url), folder)


def test_no_server_at_all_is_told(folder: Path) -> None:
    with serving(CONTENT) as gone:
        url = gone.url
    with pytest.raises(DownloadFailed, match="ConnectError"):
        download(published(url), folder)


def test_another_file_is_refused_before_its_bytes_are_taken(
    server: FileServer, folder: Path
) -> None:
    server.faults.extend([Fault.BREAKS_HALFWAY, Fault.OTHER_FILE])
    with pytest.raises(DownloadFailed, match="another file"):
        download(published(server.url), folder)
    assert (folder / "network.pth.part").read_bytes() == CONTENT[: len(CONTENT) // 2]


def test_wrong_bytes_are_thrown_away(server: FileServer, folder: Path) -> None:
    server.faults.append(Fault.WRONG_BYTES)
    with pytest.raises(DownloadFailed, match="not the published file"):
        download(published(server.url), folder)
    assert visible(folder) == []


def test_an_endless_answer_does_not_fill_the_disk(server: FileServer, folder: Path) -> None:
    server.faults.append(Fault.ENDLESS)
    told: list[int] = []
    with pytest.raises(DownloadFailed):
        download(published(server.url), folder, lambda done, _: told.append(done))
    assert max(told) < 2 * len(CONTENT)
    assert visible(folder) == []


@pytest.mark.parametrize("length", [10, len(CONTENT), len(CONTENT) + 10])
def test_a_wrong_beginning_is_found_out_and_fetched_anew(
    server: FileServer, folder: Path, length: int
) -> None:
    folder.mkdir()
    (folder / "network.pth.part").write_bytes(b"?" * length)
    assert download(published(server.url), folder).read_bytes() == CONTENT
    assert visible(folder) == ["network.pth"]


def test_a_published_file_that_shrank_is_told(server: FileServer, folder: Path) -> None:
    folder.mkdir()
    (folder / "network.pth.part").write_bytes(CONTENT[:-1])
    server.content = CONTENT[:100]
    with pytest.raises(DownloadFailed, match="another file"):
        download(published(server.url), folder)


def test_stopping_keeps_what_came(server: FileServer, folder: Path) -> None:
    came: list[int] = []
    with pytest.raises(Stopped):
        download(
            published(server.url),
            folder,
            on_progress=lambda done, _: came.append(done),
            stopped=lambda: len(came) >= 2,
        )
    assert visible(folder) == ["network.pth.part"]
    assert (folder / "network.pth.part").stat().st_size == came[-1] < len(CONTENT)
    assert download(published(server.url), folder).read_bytes() == CONTENT
    assert server.ranges_asked == [None, f"bytes={came[-1]}-"]


def test_too_little_room_is_told_before_anything_is_fetched(
    server: FileServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: Usage(len(CONTENT) - 1))
    with pytest.raises(DiskFull):
        download(published(server.url), folder)
    assert server.ranges_asked == []


def test_a_disk_that_fills_up_is_told(server: FileServer, folder: Path) -> None:
    def full(_done: int, _total: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DiskFull):
        download(published(server.url), folder, full)


def test_a_folder_that_cannot_be_is_told(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadFailed, match="cannot be written"):
        download(published(server.url), tmp_path / "file")


# Several processes

FETCH = """
import sys
from pathlib import Path
from photoenhance_ui.catalogue import Architecture, Role, WeightFile
from photoenhance_ui.weights.downloads import download
url, folder, size, sha256 = sys.argv[1:]
print("begins", flush=True)
print(download(WeightFile("network.pth", url, int(size), sha256, "MIT", Role.UPSCALER,
    Architecture.SRVGG, "a test"), Path(folder)))
"""


def fetching(server: FileServer, folder: Path) -> subprocess.Popen[str]:
    file = published(server.url)
    process = subprocess.Popen(
        [sys.executable, "-c", FETCH, file.url, str(folder), str(file.bytes), file.sha256],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.01)


def test_two_processes_at_once_fetch_it_once(server: FileServer, folder: Path) -> None:
    server.faults.append(Fault.WAITS)
    with fetching(server, folder) as one, fetching(server, folder) as two:
        wait_until(lambda: len(server.ranges_asked) == 1)
        time.sleep(3 * downloads.LOCK_POLL_S)  # time for a second request, were there one
        server.release()
        results = {process.communicate(timeout=20)[0] for process in (one, two)}
    assert (one.returncode, two.returncode) == (0, 0)
    assert results == {f"{folder / 'network.pth'}\n"}
    assert (folder / "network.pth").read_bytes() == CONTENT
    assert len(server.ranges_asked) == 1


def test_what_a_killed_process_fetched_is_used(server: FileServer, folder: Path) -> None:
    server.faults.append(Fault.STALLS_HALFWAY)
    part = folder / "network.pth.part"
    with fetching(server, folder) as process:
        wait_until(lambda: part.exists() and part.stat().st_size > 0)
        process.kill()
    came = part.stat().st_size
    assert not (folder / "network.pth").exists()
    assert download(published(server.url), folder).read_bytes() == CONTENT
    assert server.ranges_asked[-1] == f"bytes={came}-"


def test_waiting_for_another_one_can_be_stopped(server: FileServer, folder: Path) -> None:
    server.faults.append(Fault.WAITS)
    with fetching(server, folder) as process:
        wait_until(lambda: len(server.ranges_asked) == 1)
        asked = iter([False, False, True])
        with pytest.raises(Stopped):
            download(published(server.url), folder, stopped=lambda: next(asked))
        server.release()
        process.communicate(timeout=20)
    assert process.returncode == 0


# In the background


class Background:
    """Downloads, with what ``on_installed`` saw."""

    def __init__(self, folder: Path) -> None:
        self.installed: list[list[str]] = []
        self.trouble: Exception | None = None
        self.downloads = Downloads(folder, self._on_installed)
        self._folder = folder

    def _on_installed(self) -> None:
        self.installed.append(visible(self._folder))
        if self.trouble is not None:
            raise self.trouble

    def phases(self) -> dict[str, DownloadPhase]:
        return {state.name: state.phase for state in self.downloads.states}

    def wait(self) -> None:
        over = {DownloadPhase.DONE, DownloadPhase.FAILED}
        wait_until(lambda: set(self.phases().values()) <= over)


@pytest.fixture
def background(folder: Path) -> Iterator[Background]:
    found = Background(folder)
    yield found
    found.downloads.close()


def test_files_come_one_after_the_other(server: FileServer, background: Background) -> None:
    files = [published(server.url, name=name) for name in ("one", "two")]
    background.downloads.start(files)
    background.wait()
    assert background.installed == [["one.pth"], ["one.pth", "two.pth"]]
    assert [(s.name, s.done_bytes, s.total_bytes) for s in background.downloads.states] == [
        ("one", len(CONTENT), len(CONTENT)),
        ("two", len(CONTENT), len(CONTENT)),
    ]


def test_one_that_fails_says_why_and_the_next_one_comes(
    server: FileServer, background: Background
) -> None:
    server.faults.append(Fault.NOT_FOUND)
    background.downloads.start([published(server.url, name=name) for name in ("one", "two")])
    background.wait()
    one, two = background.downloads.states
    assert (one.phase, two.phase) == (DownloadPhase.FAILED, DownloadPhase.DONE)
    assert one.reason is not None and "404" in one.reason
    assert two.reason is None


def test_trouble_with_a_new_file_does_not_keep_the_others(
    server: FileServer, background: Background
) -> None:
    background.trouble = RuntimeError("not loadable")
    background.downloads.start([published(server.url, name=name) for name in ("one", "two")])
    background.wait()
    assert set(background.phases().values()) == {DownloadPhase.FAILED}
    assert len(background.installed) == 2


def test_how_far_it_is_can_be_read_while_it_comes(
    server: FileServer, background: Background
) -> None:
    server.faults.append(Fault.STALLS_HALFWAY)
    background.downloads.start([published(server.url, name=name) for name in ("one", "two")])
    wait_until(lambda: background.downloads.states[0].done_bytes == len(CONTENT) // 2)
    assert background.phases() == {"one": DownloadPhase.LOADING, "two": DownloadPhase.WAITING}
    server.release()
    background.wait()
    assert set(background.phases().values()) == {DownloadPhase.DONE}


def test_closing_is_quick_and_installs_nothing_more(
    server: FileServer, folder: Path, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "CLOSE_WAIT_S", 0.1)
    server.faults.append(Fault.STALLS_HALFWAY)
    background.downloads.start([published(server.url, name=name) for name in ("one", "two")])
    wait_until(lambda: background.downloads.states[0].done_bytes > 0)
    began = time.monotonic()
    background.downloads.close()
    assert time.monotonic() - began < 1
    server.release()
    threads = [thread for thread in threading.enumerate() if thread.name == "downloads"]
    for thread in threads:
        thread.join(timeout=10)
    assert background.installed == []
    assert visible(folder) == ["one.pth.part"]


def test_what_is_asked_for_later_comes_beside_the_others_and_only_once(
    server: FileServer, background: Background
) -> None:
    server.faults.append(Fault.WAITS)
    first, later = (published(server.url, name=name) for name in ("first", "later"))
    background.downloads.start([first])
    wait_until(lambda: len(server.ranges_asked) == 1)
    background.downloads.start([first, later])
    wait_until(lambda: background.phases()["later"] is DownloadPhase.DONE)
    assert background.phases()["first"] is DownloadPhase.LOADING, "not begun anew"
    server.release()
    background.wait()
    assert len(server.ranges_asked) == 2
