"""Pictures that a browser can show: the file itself where it can, else a preview made once."""

import logging
from pathlib import Path

from photoenhance_ui.batch import Batch
from photoenhance_ui.codec import Limits, preview, read_photo
from photoenhance_ui.errors import PhotoRefused
from photoenhance_ui.settings import Settings

log = logging.getLogger(__name__)

SHOWN_SUFFIXES = frozenset((".jpg", ".png", ".webp", ".gif", ".avif", ".bmp"))
PREVIEW_PX = 2048
"""Longest side of a preview: enough for a screen."""


def shown_result(output: Path, settings: Settings) -> Path | None:
    """The finished photo as a browser can show it; None where no preview could be made."""
    if output.suffix.lower() in SHOWN_SUFFIXES:
        return output
    limits = Limits(2**63, settings.max_output_pixels)
    return _preview_of(output, output.parent, f"{output.stem}_preview", limits)


def shown_original(batch: Batch, photo_id: str, settings: Settings) -> Path | None:
    """The photo as it came, upright and in sRGB; None where it is gone."""
    original, output = batch.original(photo_id), batch.row(photo_id).output
    if original is None or output is None:
        return None
    stem = f"{Path(batch.row(photo_id).name).stem}_original"
    return _preview_of(original, Path(output).parent, stem, Limits.of(settings))


def _preview_of(path: Path, folder: Path, stem: str, limits: Limits) -> Path | None:
    made = next(folder.glob(f"{_literal(stem)}.*"), None)
    if made is not None:
        return made
    try:
        return preview(read_photo(path, limits), folder, PREVIEW_PX, stem)
    except (PhotoRefused, OSError) as error:
        log.warning("preview_failed reason=%s", type(error).__name__)
        return None


def _literal(stem: str) -> str:
    """``stem`` for a glob that means each letter as it is."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in stem)
