"""How missing weight files arrive: resumed, verified as a whole, and never half there.

Bytes go into a ``.part`` file, which goes on after a break and gets the real name only when it
is the published file; a lock file keeps two processes from fetching the same one.
"""

import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from photoenhance_ui.catalogue import WeightFile
from photoenhance_ui.errors import DiskFull, DownloadFailed, WeightsError, as_photoenhance_error
from photoenhance_ui.traces import trace_of
from photoenhance_ui.weights.inventory import matches

log = logging.getLogger(__name__)

ATTEMPTS = 5  # in a row without a byte of progress
FIRST_PAUSE_S = 0.5  # doubles with each of them
CONNECT_TIMEOUT_S = 15.0
CLOSE_WAIT_S = 2.0
LOCK_POLL_S = 0.2
RETRIED_STATUSES = (408, 425, 429)  # beside all of 500 and above
READ_TIMEOUT_S = 20.0  # a silent connection is given up: going on where it broke costs little


class Stopped(Exception):
    """The download was asked to stop; what came so far is kept for the next try."""


def download(
    file: WeightFile,
    folder: Path,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Path:
    """Fetch a file into ``folder`` and give its path; returns at once where it is there, whole.

    ``on_progress(done_bytes, total_bytes)`` is called as bytes arrive, ``stopped`` is asked
    between them. Raises DownloadFailed, DiskFull or Stopped.
    """
    target = folder / file.file
    with _disk_errors_told(file):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(target, stopped):
            if target.is_file() and matches(target, file):
                return target
            part = target.with_name(target.name + ".part")
            _fetch_verified(file, part, on_progress, stopped)
            part.replace(target)
    log.info("weights_installed file=%s", file.file)
    return target


@contextmanager
def _disk_errors_told(file: WeightFile) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        failure = as_photoenhance_error(error)
        if isinstance(failure, DiskFull):
            raise failure from error
        raise DownloadFailed(
            f"{file.file} cannot be written to the weights folder ({type(error).__name__})."
        ) from error


@contextmanager
def _locked(target: Path, stopped: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock of one file; while another process holds it, ``stopped`` is asked."""
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    while not lock.is_locked:
        if stopped():
            raise Stopped
        with suppress(Timeout):
            lock.acquire(timeout=LOCK_POLL_S)
    try:
        yield
    finally:
        lock.release()


def _fetch_verified(
    file: WeightFile,
    part: Path,
    on_progress: Callable[[int, int], None],
    stopped: Callable[[], bool],
) -> None:
    """Fetch until ``part`` is the published file; what is not, is deleted.

    Pieces of different answers may be of different files (the published one changed, a hotel's
    log-in page came between), so a patchwork that is wrong is fetched once more in one go.
    """
    for _ in range(2):
        patchwork = _fetch_with_retries(file, part, on_progress, stopped)
        if matches(part, file):
            return
        part.unlink()
        log.warning("download_wrong file=%s patchwork=%s", file.file, patchwork)
        if not patchwork:
            break
    raise DownloadFailed(
        f"What arrived for {file.file} is not the published file; it was thrown away."
    )


def _fetch_with_retries(
    file: WeightFile,
    part: Path,
    on_progress: Callable[[int, int], None],
    stopped: Callable[[], bool],
) -> bool:
    """Fetch until all bytes are here; a broken connection goes on where it broke.

    True where they came in more than one answer.
    """
    patchwork, failures, furthest = False, 0, 0
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(follow_redirects=True, timeout=timeout) as client:
        while True:
            try:
                return _fetch(client, file, part, on_progress, stopped) or patchwork
            except httpx.HTTPStatusError as error:
                status = error.response.status_code
                if status not in RETRIED_STATUSES and status < 500:
                    raise DownloadFailed(
                        f"The server does not give {file.file} (status {status})."
                    ) from error
                reason = f"status {status}"
            except (httpx.RequestError, _Incomplete) as error:
                reason = type(error).__name__.lstrip("_")
            patchwork = True
            here = _size(part)
            failures = 1 if here > furthest else failures + 1
            furthest = max(furthest, here)
            log.info("download_broke file=%s bytes=%d reason=%s", file.file, here, reason)
            if failures == ATTEMPTS:
                raise DownloadFailed(
                    f"{file.file} could not be downloaded ({reason}). What came so far is kept; "
                    "the next try goes on from there."
                )
            _pause(FIRST_PAUSE_S * 2 ** (failures - 1), stopped)


class _Incomplete(Exception):
    """The answer ended too early, or began at the wrong byte."""


def _fetch(
    client: httpx.Client,
    file: WeightFile,
    part: Path,
    on_progress: Callable[[int, int], None],
    stopped: Callable[[], bool],
) -> bool:
    """One request for what is missing. True where the beginning was already here."""
    have = _size(part)
    if have > file.bytes:  # leftovers of something else
        part.unlink()
        have = 0
    if have == file.bytes:
        return True
    _check_room(part.parent, file.bytes - have)
    headers = {"Accept-Encoding": "identity"}  # ranges and sizes count the file's own bytes
    if have:
        headers["Range"] = f"bytes={have}-"
    with client.stream("GET", file.url, headers=headers) as answer:
        resumes = _resumes(answer, have, file, part)
        done = have if resumes else 0
        with part.open("ab" if resumes else "wb") as out:
            # As the bytes come: gathered into larger pieces, they would be lost in a break.
            for chunk in answer.iter_raw():
                if stopped():
                    raise Stopped
                out.write(chunk)
                done += len(chunk)
                on_progress(done, file.bytes)
                if done > file.bytes:  # never fill a disk with an endless answer
                    break
    if done < file.bytes:
        raise _Incomplete
    return resumes


def _resumes(answer: httpx.Response, have: int, file: WeightFile, part: Path) -> bool:
    """Whether the answer goes on after the ``have`` bytes that are here, or begins anew.

    Raises where it does neither: _Incomplete, httpx.HTTPStatusError, or DownloadFailed for a
    file whose size is not the published one.
    """
    if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        part.unlink(missing_ok=True)  # the file there is shorter than what lies here
        raise _Incomplete
    answer.raise_for_status()
    partial = answer.status_code == httpx.codes.PARTIAL_CONTENT
    span = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if partial and (span is None or int(span["start"]) != have):
        part.unlink(missing_ok=True)
        raise _Incomplete
    total = span["total"] if partial and span else answer.headers.get("content-length", "*")
    if total != "*" and int(total) != file.bytes:
        raise DownloadFailed(
            f"The server has another file in the place of {file.file} "
            f"({total} bytes instead of {file.bytes})."
        )
    return partial and have > 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"The weights folder has {free / 1e6:.0f} MB left, {needed / 1e6:.0f} MB are needed."
        )


def _pause(seconds: float, stopped: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if stopped():
            raise Stopped
        time.sleep(0.05)


class DownloadPhase(StrEnum):
    """Where a background download stands."""

    WAITING = "waiting"
    LOADING = "downloading"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class DownloadState:
    """One line of the page's banner."""

    name: str
    total_bytes: int
    done_bytes: int = 0
    phase: DownloadPhase = DownloadPhase.WAITING
    reason: str | None = None


class Downloads:
    """Fetches files one after the other in the background, and tells how far it is.

    Those that a person asks for come beside them. ``on_installed`` is called in the file's
    thread after each one. One that fails says why and does
    not keep the others from coming.
    """

    def __init__(self, folder: Path, on_installed: Callable[[], None]) -> None:
        self._folder = folder
        self._on_installed = on_installed
        self._states: dict[str, DownloadState] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self, files: Sequence[WeightFile]) -> None:
        """Begin fetching; what waits or comes already is left as it is."""
        with self._lock:
            new = tuple(file for file in files if not self._comes(file.name))
            for file in new:
                self._states[file.name] = DownloadState(file.name, file.bytes)
            thread = threading.Thread(
                target=self._fetch_all, args=(new,), name="downloads", daemon=True
            )
            self._threads = [known for known in self._threads if known.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _comes(self, name: str) -> bool:
        state = self._states.get(name)
        return state is not None and state.phase in (DownloadPhase.WAITING, DownloadPhase.LOADING)

    @property
    def states(self) -> tuple[DownloadState, ...]:
        """How far each file is, in the order in which they come."""
        return tuple(self._states.values())

    def close(self) -> None:
        """Stop soon; what came so far is kept.

        A thread that waits for a silent server is not waited for: it ends with its read, or
        with the program, and installs nothing more.
        """
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=CLOSE_WAIT_S)

    def _fetch_all(self, files: Sequence[WeightFile]) -> None:
        for file in files:
            try:
                self._fetch_one(file)
            except Stopped:
                return

    def _fetch_one(self, file: WeightFile) -> None:
        def tell(done: int, total: int) -> None:
            self._set(file.name, phase=DownloadPhase.LOADING, done_bytes=min(done, total))

        tell(0, file.bytes)
        try:
            download(file, self._folder, tell, self._stop.is_set)
            if self._stop.is_set():
                raise Stopped
            self._on_installed()
        except (WeightsError, DiskFull) as error:
            self._set(file.name, phase=DownloadPhase.FAILED, reason=error.sentence)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - the others are still fetched
            log.error("download_failed file=%s %s", file.file, trace_of(error))
            reason = f"{file.file} could not be put to use ({type(error).__name__})."
            self._set(file.name, phase=DownloadPhase.FAILED, reason=reason)
        else:
            self._set(file.name, phase=DownloadPhase.DONE, done_bytes=file.bytes)

    def _set(self, name: str, **changes: object) -> None:
        self._states[name] = replace(self._states[name], **changes)  # type: ignore[arg-type]


_CONTENT_RANGE = re.compile(r"bytes (?P<start>\d+)-\d+/(?P<total>\d+|\*)")
