"""Pictures that a browser can show: the file itself where it can, else a preview made once."""

import logging
import uuid
from pathlib import Path

from PIL import Image, ImageOps

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.storage import plain_stem
from photoenhance_ui.codec import Limits, preview, probe, read_photo, safe_name
from photoenhance_ui.errors import PhotoRefused
from photoenhance_ui.events import Row
from photoenhance_ui.settings import Settings
from photoenhance_ui.ui.service import folder_of
from photoenhance_ui.ui.view import Picture, PictureKind

log = logging.getLogger(__name__)

SHOWN_SUFFIXES = frozenset((".jpg", ".png", ".webp", ".gif", ".avif", ".bmp"))
THUMB_PX = 480
"""Longest side of a thumbnail: a card, on a fine screen."""
CARD_PX = 1280
"""Longest side of a preview in a card; up to so many pixels squared the file itself is shown."""
CLOSE_PX = 8192
"""Longest side of what is looked at closely, where the file itself cannot be shown."""


def card_picture(batch: Batch, photo_id: str, settings: Settings) -> Picture | None:
    """The best there is of a photo: the final, else its draft, else the thumbnail, if made."""
    row = batch.row(photo_id)
    if row.output is not None:
        shown = _card_result(Path(row.output), row, settings)
        return None if shown is None else Picture(shown, PictureKind.FINAL)
    if row.draft is not None and not row.state.settled:
        return Picture(Path(row.draft), PictureKind.DRAFT)
    made = made_thumbnail(batch, photo_id)
    return None if made is None else Picture(made, PictureKind.ORIGINAL)


def close_result(output: Path, settings: Settings) -> Path | None:
    """The finished photo at its full size; None where a browser shows it in no way."""
    if output.suffix.lower() in SHOWN_SUFFIXES:
        return output
    return _preview_of(output, output.parent / "close", output.stem, CLOSE_PX, _any(settings))


def close_original(batch: Batch, photo_id: str, settings: Settings) -> Path | None:
    """The photo as it came, upright and in sRGB; None where it is gone."""
    original = batch.original(photo_id)
    if original is None:
        return None
    stem = f"{plain_stem(batch.row(photo_id).name)}_original"
    folder = _pictures_of(batch) / photo_id
    return _preview_of(original, folder, stem, CLOSE_PX, Limits.of(settings))


def made_thumbnail(batch: Batch, photo_id: str) -> Path | None:
    """The thumbnail of the original, where it is made already."""
    return _made(_pictures_of(batch), photo_id)


def make_thumbnail(batch: Batch, photo_id: str, settings: Settings) -> None:
    """Make the thumbnail; a JPEG is read at a fraction of its size. What is no photo has none."""
    original, folder = batch.original(photo_id), _pictures_of(batch)
    if original is None or made_thumbnail(batch, photo_id) is not None:
        return
    try:
        probe(original, Limits.of(settings))
        quick = _quick_thumbnail(original, folder / f"{photo_id}.jpg")
    except (PhotoRefused, OSError, SyntaxError, ValueError) as error:
        log.debug("thumbnail_failed reason=%s", type(error).__name__)
        return
    if not quick:
        _preview_of(original, folder, photo_id, THUMB_PX, Limits.of(settings))


def _quick_thumbnail(path: Path, target: Path) -> bool:
    """Whether the file is a JPEG, whose thumbnail is written then."""
    with Image.open(path) as image:
        if image.format != "JPEG":
            return False
        image.draft("RGB", (THUMB_PX, THUMB_PX))
        small = ImageOps.exif_transpose(image).convert("RGB")
        small.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.BOX)
        target.parent.mkdir(exist_ok=True)
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        small.save(part, "JPEG", quality=80, icc_profile=image.info.get("icc_profile"))
        part.replace(target)
    return True


def _card_result(output: Path, row: Row, settings: Settings) -> Path | None:
    small = (row.width or 0) * (row.height or 0) <= CARD_PX**2
    if small and output.suffix.lower() in SHOWN_SUFFIXES:
        return output
    return _preview_of(output, output.parent, f"{output.stem}_preview", CARD_PX, _any(settings))


def _any(settings: Settings) -> Limits:
    """Limits for what we have written ourselves."""
    return Limits(2**63, settings.max_output_pixels)


def _pictures_of(batch: Batch) -> Path:
    return folder_of(batch) / "shown"


def _preview_of(
    path: Path, folder: Path, stem: str, longest_px: int, limits: Limits
) -> Path | None:
    made = _made(folder, stem)
    if made is not None:
        return made
    try:
        return preview(read_photo(path, limits), folder, longest_px, stem)
    except (PhotoRefused, OSError) as error:
        log.warning("preview_failed reason=%s", type(error).__name__)
        return None


def _made(folder: Path, stem: str) -> Path | None:
    """The picture of that stem; previews are written as one of two kinds."""
    paths = (folder / safe_name(stem, suffix) for suffix in (".jpg", ".png"))
    return next((path for path in paths if path.exists()), None)
