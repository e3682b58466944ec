"""Which photos the command line was given, and where the result of each belongs.

Folders are walked, not listed: a run over millions of files holds the names of one folder at a
time. Names of results depend on the inputs alone, never on what is there already, so that a
later run with ``--resume`` finds what an earlier one did.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePath

from photoenhance_ui.batches.storage import Place, result_stem, unique_name
from photoenhance_ui.images.codec import result_suffix
from photoenhance_ui.images.formats import READABLE_SUFFIXES
from photoenhance_ui.names import is_side_file, safe_name
from photoenhance_ui.request import OutputFormat

MARK_ROOM = "_" * 24  # bytes of a file name that are kept for a mark such as " (2)" and a suffix


@dataclass(frozen=True)
class Job:
    """One photo, and where its result goes."""

    source: Path
    name: str
    """How the report calls it: its path as it is mirrored in the output folder."""
    place: Place


@dataclass(frozen=True)
class _Folder:
    """A folder that was given; ``mirror`` is where in the output folder its inside goes."""

    path: Path
    mirror: PurePath


@dataclass
class Inputs:
    """The photos that were asked for, as often as one iterates over them.

    A file goes straight into ``output``. The inside of a folder is mirrored there; where several
    inputs were given, each folder keeps its name. Hidden folders, files that are no photos by
    their name, what lies in ``output`` and results among their originals are left out of
    folders. A file that is given twice, or beside its folder, is taken once.
    """

    given: Sequence[Path]
    output: Path
    output_format: OutputFormat
    recursive: bool = False
    resume: bool = False
    left_out: int = 0
    """Files in folders that are no photos by their name, counted by the last iteration."""
    already_done: int = 0
    """Photos whose result was there, counted by the last iteration; only with ``resume``."""
    unreadable: set[Path] = field(default_factory=set)
    """Folders that could not be listed."""

    def __post_init__(self) -> None:
        self.output = self.output.resolve()
        paths = list(dict.fromkeys(_real(path) for path in self.given))
        folders = [path for path in paths if path.is_dir()]
        self._folders = self._mirrored(folders, alone=len(paths) == 1)
        self._files = [path for path in paths if not path.is_dir() and not self._covers(path)]

    @property
    def nothing_is_there(self) -> bool:
        """True where not one of the given paths exists."""
        return not self._folders and not any(path.exists() for path in self._files)

    def __iter__(self) -> Iterator[Job]:
        self.left_out = self.already_done = 0
        yield from self._jobs(self._files, PurePath())
        for folder in self._folders:
            for path, sources in self._walked(folder.path):
                yield from self._jobs(sources, folder.mirror / path.relative_to(folder.path))

    def _mirrored(self, folders: Iterable[Path], *, alone: bool) -> list[_Folder]:
        taken: set[str] = set()
        kept: list[_Folder] = []
        for path in folders:
            if any(self._walks(other, path) for other in folders if other != path):
                continue
            mirror = PurePath() if alone else PurePath(unique_name(path.name, taken))
            kept.append(_Folder(path, mirror))
        return kept

    def _walks(self, folder: Path, other: Path) -> bool:
        """Whether a walk through ``folder`` comes through the folder ``other``."""
        return self.recursive and other.is_relative_to(folder)

    def _covers(self, path: Path) -> bool:
        return _is_photo_name(path.name) and any(
            folder.path == path.parent or self._walks(folder.path, path.parent)
            for folder in self._folders
        )

    def _walked(self, top: Path) -> Iterator[tuple[Path, list[Path]]]:
        """Every folder from ``top`` on with the photos in it, in the order of names."""
        for folder, inside, names in os.walk(top, onerror=self._note_unreadable):
            path = Path(folder)
            wanted = (name for name in inside if not name.startswith("."))
            inside[:] = sorted(n for n in wanted if self.recursive and path / n != self.output)
            photos = [path / name for name in sorted(names) if _is_photo_name(name)]
            self.left_out += len(names) - len(photos)
            yield path, photos

    def _note_unreadable(self, error: OSError) -> None:
        self.unreadable.add(Path(error.filename))

    def _jobs(self, sources: list[Path], mirror: PurePath) -> Iterator[Job]:
        """The jobs of files whose results go into the same folder."""
        folder = self.output / mirror
        stems = self._stems(sources)
        results = {stem.casefold() for stem in stems.values()}
        there = _names_in(folder) if self.resume else frozenset()
        for path in sources:
            if path.parent == folder and path.stem.casefold() in results:
                continue  # the result of another one of them
            if self._is_done(path, stems[path], there):
                self.already_done += 1
            else:
                yield Job(path, str(mirror / path.name), Place(folder, stems[path]))

    def _stems(self, sources: Sequence[Path]) -> dict[Path, str]:
        """A stem for each result such that no two results have the same name.

        ``a.jpg`` and ``a.png`` give ``a_enhanced.jpg`` and ``a_enhanced.png``; where both are to
        become PNG, ``a_enhanced (jpg).png`` and ``a_enhanced (png).png``. Two files of the very
        same name (from two folders) are numbered.
        """
        stems = {path: _safe_stem(path.name) for path in sources}
        shares = Counter(stem.casefold() for stem in stems.values())
        doubtful = [path for path in sources if shares[stems[path].casefold()] > 1]
        results = {path: (stems[path].casefold(), self._suffix(path)) for path in doubtful}
        meet = Counter(results.values())
        clashing = {path for path in doubtful if meet[results[path]] > 1}
        names = Counter(path.name.casefold() for path in clashing)
        taken = {stems[path].casefold() for path in sources if path not in clashing}
        for path in doubtful:
            if path in clashing:
                is_named_alike = names[path.name.casefold()] > 1
                mark = "" if is_named_alike else f" ({path.suffix.removeprefix('.')})"
                stems[path] = _numbered(stems[path] + mark, taken)
        return stems

    def _suffix(self, path: Path) -> str:
        """The suffix that the result will have; that of the file where it is no photo."""
        return result_suffix(path, self.output_format) or path.suffix.lower()

    def _is_done(self, path: Path, stem: str, there: frozenset[str]) -> bool:
        # The file is opened only where something of that name is there.
        if not any(safe_name(stem, suffix) in there for suffix in READABLE_SUFFIXES):
            return False
        return safe_name(stem, self._suffix(path)) in there


def _real(path: Path) -> Path:
    """The path without detours; a link to a photo keeps its own name."""
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def _safe_stem(name: str) -> str:
    """The stem of the result as it will really be written."""
    return safe_name(result_stem(name), MARK_ROOM).removesuffix(MARK_ROOM)


def _is_photo_name(name: str) -> bool:
    return PurePath(name).suffix.lower() in READABLE_SUFFIXES and not is_side_file(name)


def _names_in(folder: Path) -> frozenset[str]:
    if not folder.is_dir():
        return frozenset()
    return frozenset(path.name for path in folder.iterdir())


def _numbered(stem: str, taken: set[str]) -> str:
    """``stem``, or ``stem (2)`` and so on where it is taken; remembers what it gives."""
    candidates = (stem if number == 1 else f"{stem} ({number})" for number in count(1))
    free = next(candidate for candidate in candidates if candidate.casefold() not in taken)
    taken.add(free.casefold())
    return free
