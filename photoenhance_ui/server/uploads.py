"""Which files of a call were uploaded to this server; no other file is read, and no address."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOT_UPLOADED = (
    "Photos are uploaded first, to /gradio_api/upload. Neither an address nor a path that is not "
    "of such an upload is read."
)


def are_uploads(values: Any, folder: Path) -> bool:
    """Whether every file among the values of a JSON value lies in the folder of uploads."""
    resolved = folder.resolve()
    return all(_is_in(resolved, path) for path in _paths_in(values))


def _paths_in(value: Any) -> Iterator[str]:
    """The paths of all files in a JSON value."""
    if isinstance(value, dict) and isinstance(value.get("path"), str):
        yield value["path"]
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _paths_in(part)


def _is_in(folder: Path, path: str) -> bool:
    try:
        return Path(path).resolve().is_relative_to(folder)
    except (OSError, ValueError):  # no path at all
        return False
