"""Which weight files are here, and whether they are what they say.

A file counts as installed only where its bytes are those of the catalogue (or the person trusts
it). How missing ones arrive: downloads.py.
"""

import hashlib
import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from photoenhance_ui.catalogue import (
    CATALOGUE,
    Architecture,
    Role,
    WeightFile,
    by_file,
    default_downloads,
)
from photoenhance_ui.errors import WeightsDamaged, WeightsError, WeightsUntrusted
from photoenhance_ui.request import AUTO, BUILTIN, RESAMPLE_ONLY
from photoenhance_ui.settings import EMBEDDED_WEIGHTS_DIR, Settings

log = logging.getLogger(__name__)

BUILTIN_FILE = EMBEDDED_WEIGHTS_DIR / "builtin.safetensors"
OWN_SUFFIXES = (".pth", ".safetensors")


@dataclass(frozen=True)
class Installed:
    """A file that may be loaded. ``known`` is None for the built-in one and a person's own."""

    name: str
    path: Path
    known: WeightFile | None = None
    warning: str | None = None
    """What every report that used the file must say."""

    @property
    def logged_file(self) -> str:
        """What the log calls the file."""
        return "own" if self.known is None else self.known.file

    @property
    def architecture(self) -> Architecture | None:
        """The family of the network; None of the built-in file and a person's own: read in them."""
        return None if self.known is None else self.known.architecture

    @property
    def role(self) -> Role:
        """What the network does; a person's own file and the built-in one are upscalers."""
        return Role.UPSCALER if self.known is None else self.known.role


@dataclass(frozen=True)
class Inventory:
    """What lies in the weights folder: what can be used, and why the rest cannot.

    Both by name: the stem of the file; a refused file that nobody knows goes by its whole name.
    """

    installed: dict[str, Installed] = field(default_factory=dict)
    refused: dict[str, WeightsError] = field(default_factory=dict)

    def missing(self, files: Sequence[WeightFile]) -> tuple[WeightFile, ...]:
        """Those that may be fetched unasked: not here, and not in the place of somebody's own."""
        return tuple(
            file
            for file in files
            if file.name not in self.installed
            and not isinstance(self.refused.get(file.name), WeightsUntrusted)
        )


def take_stock(settings: Settings) -> Inventory:
    """Look through the weights folder, verifying every known file by size and SHA-256."""
    inventory = Inventory()
    if BUILTIN_FILE.is_file():
        inventory.installed[BUILTIN] = Installed(BUILTIN, BUILTIN_FILE)
    for path in sorted(settings.weights_dir.glob("[!.]*")):
        known = by_file(path.name)
        try:
            found = look_at(path, settings, inventory.installed)
        except WeightsError as error:
            told = "own" if known is None else known.file
            log.warning("weights_refused file=%s code=%s", told, error.code)
            inventory.refused[path.name if known is None else known.name] = error
        else:
            if found is not None:
                inventory.installed[found.name] = found
    return inventory


def look_at(path: Path, settings: Settings, taken: Container[str] = ()) -> Installed | None:
    """As what a file may be loaded; None where its name is that of no network.

    ``taken`` are names that it cannot have. Raises WeightsError; what is no file is never opened,
    as a pipe would be waited for, and a device never ends.
    """
    known = by_file(path.name)
    if known is None and path.suffix.lower() not in OWN_SUFFIXES:
        return None
    if not _is_file(path):
        raise WeightsDamaged("A folder, a pipe or a broken link is no network. Take it away.")
    if known is not None:
        return _checked(path, known, settings)
    return None if _is_builtin(path) else _own(path, taken)


def installed(settings: Settings) -> dict[str, Installed]:
    """The files that can be used, by name."""
    return take_stock(settings).installed


def files_to_fetch(settings: Settings, device: str, here: Inventory) -> tuple[WeightFile, ...]:
    """What a first start downloads in the background on ``device`` ("cpu", "cuda", "mps")."""
    return () if settings.offline else here.missing(default_downloads(device))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # nobody may look
        return False


def _is_builtin(path: Path) -> bool:
    return BUILTIN_FILE.is_file() and path.samefile(BUILTIN_FILE)


def _own(path: Path, taken: Container[str]) -> Installed:
    """A person's own file, chosen by its stem; its bytes are judged when it is loaded."""
    if not path.stem.isprintable():  # or not even text, where the system's names are bytes
        raise WeightsUntrusted("A file whose name cannot be printed is not used. Rename the file.")
    if path.stem in _RESERVED_NAMES or path.stem in taken:
        raise WeightsUntrusted(
            f"{path.name} cannot be chosen, because the name {path.stem!r} is taken. "
            "Rename the file."
        )
    return Installed(path.stem, path)


def _checked(path: Path, known: WeightFile, settings: Settings) -> Installed:
    if not known.runs:
        raise WeightsUntrusted(f"{known.file} is not used: {known.purpose}.")
    try:
        published, size = matches(path, known), path.stat().st_size
    except OSError as error:
        raise WeightsDamaged(f"{known.file} cannot be read ({type(error).__name__}).") from error
    if published:
        return Installed(known.name, path, known)
    if settings.trust_weights:
        warning = f"{known.file} is not the published file; it was used because you trust it."
        return Installed(known.name, path, known, warning)
    if size < known.bytes:
        raise WeightsDamaged(
            f"{known.file} is cut short ({size} of {known.bytes} bytes). "
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


_RESERVED_NAMES = {AUTO, RESAMPLE_ONLY, BUILTIN, *(file.name for file in CATALOGUE)}
