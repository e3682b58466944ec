"""Pictures that a browser can show: the file itself where it can, else a preview made once."""

import logging
from pathlib import Path

from PIL import Image, ImageOps

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.storage import plain_stem
from photoenhance_ui.errors import PhotoRefused
from photoenhance_ui.events import Row
from photoenhance_ui.images.codec import Limits, preview, probe, read_photo
from photoenhance_ui.images.formats import is_shown_by_browsers
from photoenhance_ui.names import safe_name
from photoenhance_ui.replacing import replacing
from photoenhance_ui.server.service import folder_of
from photoenhance_ui.settings import Settings
from photoenhance_ui.ui.cards import Picture, PictureKind

log = logging.getLogger(__name__)

THUMB_PX = 480
"""The longest side of a thumbnail, enough for a card on a screen with two pixels for one."""
CARD_PX = 1280
"""The longest side of a preview in a card; a photo of no more than this squared is shown itself."""
VIEWER_PX = 8192
"""The longest side of a preview in the viewer, where the file itself cannot be shown."""


def card_picture(batch: Batch, photo_id: str, settings: Settings) -> Picture | None:
    """The best picture there is: the final, else the draft, else the thumbnail, if made."""
    row = batch.row(photo_id)
    if row.output is not None:
        shown = _card_result(Path(row.output), row, settings)
        return None if shown is None else Picture(shown, PictureKind.FINAL)
    if row.draft is not None and not row.state.settled:
        return Picture(Path(row.draft), PictureKind.DRAFT)
    made = made_thumbnail(batch, photo_id)
    return None if made is None else Picture(made, PictureKind.ORIGINAL)


def viewer_result(output: Path, settings: Settings) -> Path | None:
    """The finished photo at its full size; None where a browser shows it in no way."""
    if is_shown_by_browsers(output):
        return output
    return _preview_of(output, output.parent / "close", output.stem, VIEWER_PX, _any(settings))


def viewer_original(batch: Batch, photo_id: str, settings: Settings) -> Path | None:
    """The photo as it came, upright and in sRGB; None where it is gone."""
    original = batch.original(photo_id)
    if original is None:
        return None
    stem = f"{plain_stem(batch.row(photo_id).name)}_original"
    folder = _pictures_of(batch) / photo_id
    return _preview_of(original, folder, stem, VIEWER_PX, Limits.of(settings))


def made_thumbnail(batch: Batch, photo_id: str) -> Path | None:
    """The thumbnail of the original; None where it is not made yet."""
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
    """Write the thumbnail of a JPEG; gives whether the file is one."""
    with Image.open(path) as image:
        if image.format != "JPEG":
            return False
        image.draft("RGB", (THUMB_PX, THUMB_PX))
        small = ImageOps.exif_transpose(image).convert("RGB")
        small.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.BOX)
        target.parent.mkdir(exist_ok=True)
        with replacing(target) as part:
            small.save(part, "JPEG", quality=80, icc_profile=image.info.get("icc_profile"))
    return True


def _card_result(output: Path, row: Row, settings: Settings) -> Path | None:
    small = (row.width or 0) * (row.height or 0) <= CARD_PX**2
    if small and is_shown_by_browsers(output):
        return output
    return _preview_of(output, output.parent, f"{output.stem}_preview", CARD_PX, _any(settings))


def _any(settings: Settings) -> Limits:
    """The limits for files that we have written ourselves."""
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
    """The picture of that stem, as JPEG or as PNG; None where there is neither."""
    paths = (folder / safe_name(stem, suffix) for suffix in (".jpg", ".png"))
    return next((path for path in paths if path.exists()), None)
