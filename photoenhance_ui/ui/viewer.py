"""What the viewer shows of one finished photo, as plain values."""

from pathlib import Path
from typing import Any

from PIL import Image

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.images.codec import Limits, probe
from photoenhance_ui.settings import Settings
from photoenhance_ui.ui.html import file_address
from photoenhance_ui.ui.previews import viewer_original, viewer_result
from photoenhance_ui.ui.texts import Texts

WORDS = (
    "close", "previous", "next", "slider", "side", "map", "views", "position", "before", "after",
    "in", "out", "fit", "full", "save", "loading", "stage", "map.meaning", "faces", "face",
    "face.strength", "faces.all", "faces.none",
)  # fmt: skip
"""The texts that the viewer shows as they are."""


def closed_viewer(say: Texts) -> dict[str, Any]:
    """The viewer's words while it shows nothing."""
    words = {word: say.table[f"viewer.{word}"] for word in WORDS}
    return {"words": {**words, "viewer": say("viewer")}, "request_id": 0, "photo": None}


def viewer_value(
    batch: Batch, photo_id: str, request_id: int, settings: Settings, say: Texts
) -> dict[str, Any]:
    """A finished photo beside its original, with its faces as parts of the picture.

    ``request_id`` is that of the request that this answers. Blocks while pictures are made.
    """
    row = batch.row(photo_id)
    if row.output is None:
        return closed_viewer(say)
    before = viewer_original(batch, photo_id, settings)
    after = viewer_result(Path(row.output), settings)
    return {
        **closed_viewer(say),
        "request_id": request_id,
        "photo": photo_id,
        "name": row.name,
        "width": row.width,
        "height": row.height,
        "before": None if before is None else file_address(before),
        "after": None if after is None else file_address(after),
        "map": None,
        "message": "",
        "faces": _faces(batch, photo_id, before, settings),
    }


def _faces(
    batch: Batch, photo_id: str, before: Path | None, settings: Settings
) -> list[dict[str, float]]:
    """Where the restored faces are, as shares of the picture's sides, and how strong each is."""
    kept, original = batch.results.faces(photo_id), batch.original(photo_id)
    if not kept or before is None or original is None:
        return []
    stored = probe(original, Limits.of(settings))
    with Image.open(before) as shown:  # upright, and smaller where the photo is very large
        enlarged = max(stored.width, stored.height) / max(shown.size)
        width, height = (side * enlarged for side in shown.size)
    return [
        {
            "x": face.box.x / width,
            "y": face.box.y / height,
            "width": face.box.width / width,
            "height": face.box.height / height,
            "strength": face.strength,
        }
        for face in kept
    ]
