"""What the cards of a batch show, a card for each photo: pure functions to plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from photoenhance_ui.events import Row, State
from photoenhance_ui.ui.html import file_address
from photoenhance_ui.ui.networks_view import network_name
from photoenhance_ui.ui.texts import Texts

Card = dict[str, Any]
"""What ``assets/cards.js`` draws one photo from."""

VERY_CLOSE_DB, CLOSE_DB = 40.0, 30.0
"""PSNR from which two pictures look the same, and from which they differ a little, as is usual to
say of pictures of 8 bits."""


class PictureKind(StrEnum):
    """What a card shows of its photo."""

    ORIGINAL = "original"
    DRAFT = "draft"
    FINAL = "final"


@dataclass(frozen=True)
class Picture:
    """A picture file that a browser can show."""

    path: Path
    kind: PictureKind


def card_of(
    photo_id: str, row: Row, picture: Picture | None, common: Sequence[str], say: Texts
) -> Card:
    """Everything that the card of one photo shows; ``common`` are warnings shown elsewhere."""
    is_working = row.state is State.WORKING
    stage = "" if row.stage is None else say(f"stage.{row.stage.value}")
    return {
        "id": photo_id,
        "name": row.name,
        "state": row.state.value,
        "badge": say(f"state.{row.state.value}"),
        "picture": None if picture is None else file_address(picture.path),
        "kind": None if picture is None else picture.kind.value,
        "tag": say("photo.draft") if picture and picture.kind is PictureKind.DRAFT else "",
        "percent": round(100 * row.progress) if is_working else None,
        "stage": stage if not row.state.settled else "",
        "facts": " · ".join(_facts(row, say)),
        "reason": _reason(row, say),
        "warnings": [say.warning(line) for line in row.warnings if line not in common]
        if row.state is State.DONE
        else [],
    }


def cards_of(cards: Sequence[Card], say: Texts) -> dict[str, Any]:
    """The value of the list of cards: the words that all of them use, and each one."""
    keys = ("list", "open", "choose", "progress", "cancel", "retry", "save")
    words = {key: say.table[f"photo.{key}"] for key in keys}
    labels = {f"{key}.label": say.table[f"photo.{key}.label"] for key in keys[4:]}
    return {"words": {**words, **labels}, "cards": list(cards)}


def _reason(row: Row, say: Texts) -> str:
    if row.reason is None or row.state is State.CANCELLED:
        return ""
    return say.reason(row.code, row.reason)


def _facts(row: Row, say: Texts) -> list[str]:
    """What there is to know of a photo that is ready."""
    if row.state is not State.DONE:
        return []
    facts = [say("note.size", width=row.width, height=row.height)]
    if row.faces:
        facts.append(say.counted("note.faces", row.faces))
    if row.seconds is not None:
        facts.append(say("note.seconds", seconds=f"{row.seconds:.1f}"))
    if row.faithfulness_db is not None:
        facts.append(_closeness(row.faithfulness_db, say))
    return [*facts, *(network_name(name, say) for name in row.networks)]


def _closeness(faithfulness_db: float, say: Texts) -> str:
    """How near the result is to its original: a word, and the figure behind it."""
    figure = f"{faithfulness_db:.1f}"
    if faithfulness_db >= VERY_CLOSE_DB:
        return say("note.very_close", db=figure)
    if faithfulness_db >= CLOSE_DB:
        return say("note.close", db=figure)
    return say("note.changed", db=figure)
