"""Files as scripts and the page hand them in: a list, one alone, or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, ListFiles
from gradio.utils import get_upload_folder
from pydantic import ValidationError

from photoenhance_ui.server.uploads import NOT_UPLOADED, are_uploads
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


class UploadedFile(FileData):
    """One file; what is none is said so."""

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> "UploadedFile":
        """Validate what a script sent; raises ``gr.Error`` with a sentence."""
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise gr.Error(ENGLISH("not_file"), print_exception=False) from error


def _path_of(file: FileData) -> str:
    return file.path


def photo_input(**options: Any) -> gr.File:
    """A file input for one photo."""
    file = gr.File(**options)
    file._process_single_file = _path_of  # type: ignore  # else it leaves an empty file for each
    file.data_model = UploadedFile
    return file


def photos_input(**options: Any) -> gr.File:
    """A file input for several photos.

    No ``file_types``: they judge by the name and refuse the whole call for one odd file.
    """
    files = gr.File(file_count="multiple", **options)
    files._process_single_file = _path_of  # type: ignore  # as above
    files.data_model = UploadedFiles
    return files


def refuse_addresses(values: Any) -> None:
    """Raise ``gr.Error`` where a file among the values was not uploaded here.

    Gradio would fetch an address, and tells of a path outside its folder by a traceback.
    """
    if not are_uploads(values, Path(get_upload_folder())):
        raise gr.Error(NOT_UPLOADED, print_exception=False)


def paths_of(files: Sequence[str] | str | None) -> list[Path]:
    """The uploaded files in the order given."""
    if files is None:
        return []
    return [Path(file) for file in ([files] if isinstance(files, str) else files)]
