"""Files as scripts and the page hand them in: a list, one alone, or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ListFiles
from pydantic import ValidationError

from photoenhance_ui.ui.texts import ENGLISH


class UploadedFiles(ListFiles):
    """A list of files; a single one counts as a list of one, and what is no file is said so."""

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> "UploadedFiles":
        """Validate what a script sent; raises ``gr.Error`` with a sentence."""
        given = [obj] if isinstance(obj, dict) else obj
        try:
            return super().model_validate(given, **options)
        except ValidationError as error:
            raise gr.Error(ENGLISH("not_files"), print_exception=False) from error


def photos_input(**options: Any) -> gr.File:
    """A file input for several photos.

    No ``file_types``: they judge by the name and refuse the whole call for one odd file.
    """
    files = gr.File(file_count="multiple", **options)
    files.data_model = UploadedFiles
    return files


def paths_of(files: Sequence[str] | str | None) -> list[Path]:
    """The uploaded files in the order given."""
    if files is None:
        return []
    return [Path(file) for file in ([files] if isinstance(files, str) else files)]
