"""One way to write a file: there whole under its name, or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTS = ".*.part"
"""Matches the passing names; what a program that was killed left under them is worth nothing."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A passing name beside ``path``, whose file takes the place of ``path`` when the block ends.

    Whoever reads ``path`` sees what was there before or all of the new file, never a part of it.
    The passing name is hidden, short whatever ``path`` is called, and no other process has it.
    Where the block raises, or the file cannot be renamed, ``path`` stays as it was and the part
    goes. Raises what the block raises, and OSError.
    """
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield part
        _flush(part)
        part.replace(path)
    finally:
        with suppress(OSError):  # it must not hide why the part is still there
            part.unlink(missing_ok=True)


def _flush(part: Path) -> None:
    """Wait until the disk has the bytes; a file renamed before that is empty after a power cut."""
    descriptor = os.open(part, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
