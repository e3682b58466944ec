"""What the viewer shows of one finished photo, as plain values."""

from pathlib import Path
from typing import Any

from PIL import Image

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.codec import Limits, probe
from photoenhance_ui.settings import Settings
from photoenhance_ui.ui.shown import close_original, close_result
from photoenhance_ui.ui.texts import Texts
from photoenhance_ui.ui.view import file_address

WORDS = (
    "close", "previous", "next", "slider", "side", "map", "views", "position", "before", "after",
    "in", "out", "fit", "full", "save", "loading", "stage", "map.meaning", "faces", "face",
    "face.strength", "faces.all", "faces.none",
)  # fmt: skip
"""What the viewer says, as it stands."""


def closed(say: Texts) -> dict[str, Any]:
    """The viewer's words while it shows nothing."""
    words = {word: say.table[f"viewer.{word}"] for word in WORDS}
    return {"words": {**words, "viewer": say("viewer")}, "asked": 0, "photo": None}


def closeup(
    batch: Batch, photo_id: str, asked: int, settings: Settings, say: Texts
) -> dict[str, Any]:
    """A finished photo beside its original, with its faces as parts of the picture.

    ``asked`` is the number of the question that this answers. Blocks while pictures are made.
    """
    row = batch.row(photo_id)
    if row.output is None:
        return closed(say)
    before = close_original(batch, photo_id, settings)
    after = close_result(Path(row.output), settings)
    return {
        **closed(say),
        "asked": asked,
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
    """Where the restored faces are, in shares of the picture's sides, and how strong each is."""
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
