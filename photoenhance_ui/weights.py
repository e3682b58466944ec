"""Which weight files are here, whether they are what they say, and how missing ones arrive.

A file counts as installed only where its bytes are those of the catalogue (or the person trusts
it). Downloads go into a ``.part`` file, resume after a break, are verified as a whole, and get
their real name only then; a lock file keeps two processes from fetching the same one.
"""

import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from photoenhance_ui.catalogue import CATALOGUE, WeightFile
from photoenhance_ui.errors import (
    DiskFull,
    DownloadFailed,
    WeightsDamaged,
    WeightsError,
    WeightsUntrusted,
)
from photoenhance_ui.settings import EMBEDDED_WEIGHTS_DIR, Settings

log = logging.getLogger(__name__)

BUILTIN = "builtin"
BUILTIN_FILE = EMBEDDED_WEIGHTS_DIR / "builtin.safetensors"
OWN_SUFFIXES = (".pth", ".safetensors")
CHUNK_BYTES = 1 << 20
ATTEMPTS = 5
FIRST_PAUSE_S = 0.5  # doubles with each attempt
CONNECT_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Installed:
    """A file that may be loaded. ``known`` is None for the built-in one and a person's own."""

    name: str
    path: Path
    known: WeightFile | None = None
    warning: str | None = None
    """What every report that used the file must say."""


@dataclass(frozen=True)
class Inventory:
    """What lies in the weights folder: what can be used, and why the rest cannot."""

    installed: dict[str, Installed] = field(default_factory=dict)
    refused: dict[str, WeightsError] = field(default_factory=dict)


def take_stock(settings: Settings) -> Inventory:
    """Look through the weights folder, verifying every known file by size and SHA-256."""
    inventory = Inventory()
    if BUILTIN_FILE.is_file():
        inventory.installed[BUILTIN] = Installed(BUILTIN, BUILTIN_FILE)
    for path in sorted(settings.weights_dir.glob("*")):
        known = _KNOWN_FILES.get(path.name)
        if not path.is_file() or path.name.startswith(("builtin", ".")):
            continue
        try:
            if known is not None:
                inventory.installed[known.name] = _checked(path, known, settings.trust_weights)
            elif path.suffix.lower() in OWN_SUFFIXES:
                inventory.installed[path.stem] = Installed(path.stem, path)
        except WeightsError as error:
            log.warning("weights_refused file=%s code=%s", path.name, error.code)
            inventory.refused[path.stem] = error
    return inventory


def installed(settings: Settings) -> dict[str, Installed]:
    """The files that can be used, by name."""
    return take_stock(settings).installed


def _checked(path: Path, known: WeightFile, trusted: bool) -> Installed:
    if not known.runs:
        raise WeightsUntrusted(f"{known.file} is not used: {known.purpose}.")
    if matches(path, known):
        return Installed(known.name, path, known)
    if trusted:
        warning = f"{known.file} is not the published file; it was used because you trust it."
        return Installed(known.name, path, known, warning)
    if path.stat().st_size < known.bytes:
        raise WeightsDamaged(
            f"{known.file} is cut short ({path.stat().st_size} of {known.bytes} bytes). "
            "Delete it and download it again."
        )
    raise WeightsUntrusted(
        f"{known.file} is not the published file of that name. Delete it and download it "
        "again, or start with --trust-weights if you know where it is from."
    )


def matches(path: Path, known: WeightFile) -> bool:
    """Whether the file has exactly the published bytes."""
    return path.stat().st_size == known.bytes and sha256_of(path) == known.sha256


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Downloads


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
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.file
    with _locked(target, stopped):
        if target.is_file() and matches(target, file):
            return target
        part = target.with_name(target.name + ".part")
        _fetch_with_retries(file, part, on_progress, stopped)
        if not matches(part, file):
            part.unlink()
            raise DownloadFailed(
                f"What arrived for {file.file} is not the published file; it was thrown away."
            )
        part.replace(target)
    log.info("weights_installed file=%s", file.file)
    return target


class _locked:  # noqa: N801 - used as a with-block
    """Holds the lock of one file; asks ``stopped`` while another process holds it."""

    def __init__(self, target: Path, stopped: Callable[[], bool]) -> None:
        self._lock = FileLock(target.with_name(f".{target.name}.lock"))
        self._stopped = stopped

    def __enter__(self) -> None:
        while True:
            if self._stopped():
                raise Stopped
            try:
                self._lock.acquire(timeout=0.2)
                return
            except Timeout:
                continue

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _fetch_with_retries(
    file: WeightFile,
    part: Path,
    on_progress: Callable[[int, int], None],
    stopped: Callable[[], bool],
) -> None:
    """Fetch until whole; a broken connection goes on where it broke."""
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(follow_redirects=True, timeout=timeout) as client:
        for attempt in range(ATTEMPTS):
            try:
                _fetch(client, file, part, on_progress, stopped)
                return
            except httpx.HTTPStatusError as error:
                status = error.response.status_code
                if status < 500 and status != 429:
                    raise DownloadFailed(
                        f"The server does not give {file.file} (status {status})."
                    ) from error
                reason = f"status {status}"
            except (httpx.TransportError, _Incomplete) as error:
                reason = type(error).__name__.lstrip("_")
            log.info("download_broke file=%s attempt=%d reason=%s", file.file, attempt + 1, reason)
            if attempt + 1 < ATTEMPTS:
                _pause(FIRST_PAUSE_S * 2**attempt, stopped)
    raise DownloadFailed(
        f"{file.file} could not be downloaded ({reason}). What came so far is kept; "
        "the next try goes on from there."
    )


class _Incomplete(Exception):
    """The server ended the answer too early without saying so."""


def _fetch(
    client: httpx.Client,
    file: WeightFile,
    part: Path,
    on_progress: Callable[[int, int], None],
    stopped: Callable[[], bool],
) -> None:
    """One request for what is missing."""
    have = part.stat().st_size if part.exists() else 0
    if have > file.bytes:  # leftovers of something else
        part.unlink()
        have = 0
    if have == file.bytes:
        return
    _check_room(part.parent, file.bytes - have)
    headers = {"Range": f"bytes={have}-"} if have else {}
    with client.stream("GET", file.url, headers=headers) as answer:
        if answer.status_code == 416:  # the published file is shorter than what lies here
            part.unlink()
            raise _Incomplete
        answer.raise_for_status()
        resumes = answer.status_code == 206 and _starts_at(answer, have)
        done = have if resumes else 0
        with part.open("ab" if resumes else "wb") as out:
            for chunk in answer.iter_raw(CHUNK_BYTES):
                if stopped():
                    raise Stopped
                out.write(chunk)
                done += len(chunk)
                on_progress(done, file.bytes)
                if done > file.bytes:  # never fill a disk with an endless answer
                    break
    if done < file.bytes:
        raise _Incomplete


def _starts_at(answer: httpx.Response, offset: int) -> bool:
    return str(answer.headers.get("content-range", "")).startswith(f"bytes {offset}-")


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

    ``on_installed`` is called in that thread after each file. One that fails says why and does
    not keep the others from coming.
    """

    def __init__(self, folder: Path, on_installed: Callable[[], None]) -> None:
        self._folder = folder
        self._on_installed = on_installed
        self._states: dict[str, DownloadState] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, files: Sequence[WeightFile]) -> None:
        """Begin fetching; to be called once."""
        self._states = {file.name: DownloadState(file.name, file.bytes) for file in files}
        self._thread = threading.Thread(
            target=self._fetch_all, args=(tuple(files),), name="downloads", daemon=True
        )
        self._thread.start()

    @property
    def states(self) -> tuple[DownloadState, ...]:
        """How far each file is, in the order in which they come."""
        return tuple(self._states.values())

    def close(self) -> None:
        """Stop soon; what came so far is kept."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

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
            self._on_installed()
        except (WeightsError, DiskFull) as error:
            self._set(file.name, phase=DownloadPhase.FAILED, reason=error.sentence)
        except OSError as error:
            log.exception("download_failed file=%s", file.file)
            reason = f"The weights folder cannot be written ({type(error).__name__})."
            self._set(file.name, phase=DownloadPhase.FAILED, reason=reason)
        else:
            self._set(file.name, phase=DownloadPhase.DONE, done_bytes=file.bytes)

    def _set(self, name: str, **changes: object) -> None:
        self._states[name] = replace(self._states[name], **changes)  # type: ignore[arg-type]


_KNOWN_FILES = {file.file: file for file in CATALOGUE}
