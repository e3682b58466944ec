"""Where files of a batch lie: taken in at the start, results written once, removed by age.

On a server every batch has a folder of its own with an unguessable name, because whoever knows
a path may read the file. A batch is removed a set time after it *ended*; its age does not count,
so one that runs for days loses neither an upload nor a result. On the command line files stay
where they are and results go where the person said.
"""

import hashlib
import logging
import os
import shutil
import time
import uuid
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from photoenhance_ui.replacing import replacing

log = logging.getLogger(__name__)

ENDED_MARK = "ended"
ZIP_NAME = "photos_enhanced.zip"
MAX_ZIPS, ZIP_HOURS = 10, 0.5
"""As many ZIPs as a batch keeps, for so long: who was given one begins to fetch it at once."""
ABANDONED_HOURS = 7 * 24.0
"""A folder without a mark was never started, runs elsewhere, or belongs to a server that died."""


@dataclass(frozen=True)
class Place:
    """Where a result is to be written; the suffix is added by who knows the format."""

    folder: Path
    stem: str


class BatchFiles(Protocol):
    """The files of one batch."""

    def take(self, photo_id: str, path: Path) -> Path:
        """Secure the input file, so that nobody can take it away while the batch runs."""
        ...

    def place_for(self, photo_id: str, name: str) -> Place:
        """Where the result of this photo belongs."""
        ...

    def exists(self) -> bool:
        """Whether the results are still kept."""
        ...

    def begin(self) -> None:
        """The batch runs (again)."""
        ...

    def end(self) -> None:
        """Nothing in the batch is running any more."""
        ...


def result_stem(name: str) -> str:
    """``holiday_enhanced`` for ``holiday.jpg``."""
    return f"{Path(name).stem}_enhanced"


def plain_stem(name: str) -> str:
    """``holiday`` for ``holiday.jpg``; nothing but a final says that it is enhanced."""
    return Path(name).stem.replace("_enhanced", "")


class BatchFolder:
    """A batch's files on a server: ``in/`` and ``out/<photo>/`` under an unguessable name."""

    def __init__(self, folder: Path, running: set[Path]) -> None:
        self.folder = folder
        self._running = running

    def take(self, photo_id: str, path: Path) -> Path:
        """Hard link the file, or copy it where a link is impossible."""
        taken = self._place_of(photo_id)
        try:
            os.link(path, taken)
        except OSError:
            shutil.copyfile(path, taken)
        return taken

    def taken(self, photo_id: str) -> Path | None:
        """The input as it was taken in; None where it is not there."""
        place = self._place_of(photo_id)
        return place if place.is_file() else None

    def _place_of(self, photo_id: str) -> Path:
        return self.folder / "in" / photo_id

    def place_for(self, photo_id: str, name: str) -> Place:
        """A folder of the photo's own, so that equal names never meet."""
        return Place(self.folder / "out" / photo_id, result_stem(name))

    def zipped(self, paths: Sequence[Path]) -> Path:
        """Files of the batch in one ZIP, which is there until others have had time to be fetched.

        One that holds the same files is given again.
        """
        zips = self.folder / "zip"
        folder = zips / _fingerprint(paths)
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # the newest, so that nobody removes it
        target = folder / ZIP_NAME
        if not target.exists():
            write_zip(paths, target)
        for number, (hours, made) in enumerate(sorted(_ages_in(zips))):
            if number >= MAX_ZIPS or hours > ZIP_HOURS:
                shutil.rmtree(made, ignore_errors=True)
        return target

    def exists(self) -> bool:
        """False once the folder was removed by its age."""
        return self.folder.is_dir()

    def begin(self) -> None:
        """Take the end mark away; while the batch runs, no age removes it."""
        self._running.add(self.folder)
        (self.folder / ENDED_MARK).unlink(missing_ok=True)

    def end(self) -> None:
        """Leave the mark from whose time on the age counts."""
        with suppress(FileNotFoundError):  # the folder is gone
            (self.folder / ENDED_MARK).touch()
        self._running.discard(self.folder)


class Workspace:
    """All batches of one server, under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._running: set[Path] = set()
        root.mkdir(parents=True, exist_ok=True)

    def new_batch(self) -> BatchFolder:
        """An empty folder for a new batch."""
        folder = self.root / uuid.uuid4().hex
        (folder / "in").mkdir(parents=True)
        return BatchFolder(folder, self._running)

    def holds(self, name: str) -> bool:
        """Whether the folder of that name is (still) there."""
        return (self.root / name).is_dir()

    def left_batch(self, name: str) -> BatchFolder:
        """The folder of that name, which an earlier server left and this one does not run yet.

        From now on its age counts, where that server died before the batch had ended.
        """
        files = BatchFolder(self.root / name, self._running)
        if not (files.folder / ENDED_MARK).exists():
            files.end()
        return files

    def sweep(self, keep_hours: float) -> int:
        """Remove batches that ended more than ``keep_hours`` ago; gives how many."""
        removed = 0
        for folder in list(self.root.iterdir()):
            # Asked for each when it is its turn: another one may have begun to run again.
            if folder not in self._running and _outlived(folder, keep_hours):
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        if removed:
            log.info("batches_removed count=%d", removed)
        return removed


def _fingerprint(paths: Sequence[Path]) -> str:
    """The same for the same files, unless one was written anew."""
    told = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def _outlived(folder: Path, keep_hours: float) -> bool:
    mark = folder / ENDED_MARK
    if mark.exists():
        return _hours_since(mark) > keep_hours
    return _hours_since(_last_touched(folder)) > max(keep_hours, ABANDONED_HOURS)


def _last_touched(folder: Path) -> Path:
    """The newest of the folder and what lies in it: a batch that runs writes there."""
    return max((folder, *folder.rglob("*")), key=lambda path: path.stat().st_mtime)


def _hours_since(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / 3600


def _ages_in(folder: Path) -> Iterator[tuple[float, Path]]:
    """How many hours old each thing in a folder is from which others may remove."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            yield _hours_since(path), path


def sweep_uploads(folder: Path, keep_hours: float, spare: Collection[Path]) -> int:
    """Remove uploaded files that nobody started for ``keep_hours``; gives how many.

    ``spare`` are the folders inside ``folder`` that hold no uploads. A batch holds its own link to
    each of its inputs, so an upload that goes takes nothing from a batch.
    """
    removed = 0
    for path in _files(folder):
        is_upload = not any(path.is_relative_to(other) for other in spare)
        if is_upload and _hours_since(path) > keep_hours:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def write_zip(paths: Iterable[Path], target: Path) -> Path:
    """Put files into one ZIP under unique names; there whole or not at all.

    Photos are compressed already, so they are stored as they are.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    with (
        replacing(target) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        for path in paths:
            archive.write(path, unique_name(path.name, names))
    return target


def unique_name(name: str, taken: set[str]) -> str:
    """``name``, or ``name (2)`` and so on where it is taken; remembers what it gives.

    Names that differ only in case count as equal, as they do on many people's disks.
    """
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a Path would read "a/b" as folders
    candidate, count = name, 1
    while candidate.casefold() in taken:
        count += 1
        candidate = f"{stem} ({count}){suffix}"
    taken.add(candidate.casefold())
    return candidate
