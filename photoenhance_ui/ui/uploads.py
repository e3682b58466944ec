"""The file field: several files of any kind, each with the name that the person gave it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData


@dataclass(frozen=True)
class Upload:
    """An uploaded file and its own name."""

    path: Path
    name: str


class PhotoFiles(gr.File):
    """``gr.File`` for several files that hands over names too.

    Gradio's own turns a file into a path and loses the person's name for it, and leaves an empty
    temporary file behind at every call.
    """

    is_template = True

    def __init__(self, **settings: Any) -> None:
        super().__init__(file_count="multiple", **settings)

    def preprocess(self, payload: Any) -> list[Upload]:  # type: ignore[override]
        """What arrived, as Uploads; nothing is an empty list."""
        return [_upload(file) for file in _files(payload)]


def _files(payload: Any) -> Sequence[FileData]:
    if payload is None:
        return []
    if isinstance(payload, FileData):
        return [payload]
    return list(payload.root)


def _upload(file: FileData) -> Upload:
    path = Path(file.path)
    return Upload(path, file.orig_name or path.name)
