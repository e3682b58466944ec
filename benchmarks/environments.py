"""The Pythons that are at hand, virtual environments made of them, and the disk that those take."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

DISK_BLOCK_BYTES = 512  # the unit of st_blocks, whatever the file system's own is


def interpreter(python: str, uv: str | None) -> Path | None:
    """The Python of a minor version as ``3.11``; None where there is none.

    Looked for on the PATH, among pyenv's (the newest patch first), and where uv knows of one.
    """
    for candidate in _candidates(python, uv):
        if version_of(candidate).startswith(f"{python}."):
            return Path(candidate)
    return None


def _candidates(python: str, uv: str | None) -> Iterator[str]:
    on_path = shutil.which(f"python{python}")
    if on_path:
        yield on_path
    root = _told(["pyenv", "root"])
    if root:
        folders = Path(root, "versions").glob(f"{python}.*")
        for folder in sorted(folders, key=lambda path: patch_of(path.name), reverse=True):
            yield str(folder / "bin" / "python")
    if uv:
        yield _told([uv, "python", "find", "--no-python-downloads", python])


def patch_of(version: str) -> int:
    """The last part of a version as a number; -1 where it is none, as in ``3.14.0rc1``.

    >>> patch_of("3.11.13")
    13
    """
    last = version.rpartition(".")[2]
    return int(last) if last.isdecimal() else -1


def version_of(python: str | Path) -> str:
    """A Python's version as ``3.11.7``; empty where it does not run, as pyenv's shims may not."""
    return _told([str(python), "-c", "import platform; print(platform.python_version())"])


def version_told(command: Sequence[str]) -> str | None:
    """The version in what ``pip --version`` or ``uv --version`` prints; None without one."""
    found = re.search(r"\d+(?:\.\d+)+", _told(command))
    return found[0] if found else None


def _told(command: Sequence[str]) -> str:
    """What a command prints; empty where it fails or is not there."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


def program(environment: Path, name: str) -> str:
    """A program of a virtual environment."""
    return str(environment / ("Scripts" if os.name == "nt" else "bin") / name)


def packages_in(environment: Path) -> set[str]:
    """The names of the distributions in a virtual environment, as their folders spell them."""
    infos = environment.glob("**/site-packages/*.dist-info")  # deeper ones are copies in packages
    return {info.name.partition("-")[0].lower() for info in infos}


def disk_bytes(folder: Path) -> int:
    """What the files below a folder take on the disk; one with several names counts once."""
    sizes: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it may vanish meanwhile
                status = os.lstat(f"{parent}{os.sep}{name}")
                blocks = getattr(status, "st_blocks", None)
                size = status.st_size if blocks is None else blocks * DISK_BLOCK_BYTES
                sizes[status.st_dev, status.st_ino] = size
    return sum(sizes.values())


@contextmanager
def peak_disk(folder: Path, every_s: float = 1.0) -> Iterator[Callable[[], int]]:
    """Watch a folder grow and shrink; the function that this gives tells its bytes at most."""
    sizes = [disk_bytes(folder)]
    ended = Event()

    def watch() -> None:
        while not ended.wait(every_s):
            sizes.append(disk_bytes(folder))

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: max(sizes)
    finally:
        ended.set()
        watcher.join()


def processor() -> dict[str, Any]:
    """The processor's model, whether it has AMX, and its threads; None for what is not told."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return {**processor_of(text), "threads": os.cpu_count()}


def processor_of(cpuinfo: str) -> dict[str, Any]:
    r"""Model and AMX out of Linux' description; both None where it does not tell them.

    >>> processor_of("model name\t: Xeon\nflags\t\t: fpu amx_tile amx_int8\n")
    {'model': 'Xeon', 'amx': True}
    """
    pairs = (line.partition(":") for line in cpuinfo.splitlines())
    told = {key.strip(): value.strip() for key, _, value in pairs}
    flags = told.get("flags")
    amx = None if flags is None else "amx_tile" in flags.split()
    return {"model": told.get("model name"), "amx": amx}
