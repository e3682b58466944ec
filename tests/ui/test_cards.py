"""What the cards show of a report: nothing is lost, and each is plain values."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from photoenhance_ui.events import Row
from photoenhance_ui.ui.cards import Picture, PictureKind, card_of, cards_of
from photoenhance_ui.ui.texts import CHINESE, ENGLISH
from tests.ui.rows import CANCELLED, DONE, EVERY, FAILED, WORKING


def card(row: Row, picture: Picture | None = None) -> dict[str, Any]:
    return card_of("id", row, picture, (), ENGLISH)


def test_every_card_says_which_photo_it_is_and_how_it_stands() -> None:
    cards = [card(row) for row in EVERY]
    assert [(card["name"], card["state"]) for card in cards] == [
        (row.name, row.state.value) for row in EVERY
    ]
    assert all(card["badge"] for card in cards)


def test_a_finished_photo_tells_its_facts() -> None:
    told = card(DONE)["facts"]
    for fact in ("200 × 100", "2 faces", "1.2 s", "40.2 dB", "net"):
        assert fact in told
    assert card(WORKING)["facts"] == ""


def test_a_failed_photo_tells_why_in_the_language_of_the_page() -> None:
    assert card(FAILED)["reason"] == "This is no photo."
    assert card_of("id", FAILED, None, (), CHINESE)["reason"].startswith("这不是照片")
    assert card(CANCELLED)["reason"] == "", "nobody has to be told what they did themselves"


def test_progress_is_told_of_who_works_alone() -> None:
    assert [card(row)["percent"] for row in EVERY] == [None, None, None, 50, None]
    assert card(WORKING)["stage"] == "Enlarging"
    assert card(DONE)["stage"] == ""


def test_only_a_draft_is_marked_as_one() -> None:
    for kind in PictureKind:
        shown = card(WORKING, Picture(Path("/f/a b#c.jpg"), kind))
        assert shown["tag"] == ("Draft" if kind is PictureKind.DRAFT else "")
        assert shown["kind"] == kind.value
        assert shown["picture"] == "gradio_api/file=/f/a%20b%23c.jpg"
    assert card(WORKING)["picture"] is None


def test_cards_are_plain_values_with_the_words_of_the_language() -> None:
    value = cards_of([card(row) for row in EVERY], CHINESE)
    assert json.loads(json.dumps(value)) == value
    assert value["words"]["open"] == "查看 {name}"
    assert len(value["cards"]) == len(EVERY)


@pytest.mark.parametrize(
    ("faithfulness_db", "said"),
    [
        (99.0, "very close to the original (99.0 dB)"),
        (35.0, "close to the original (35.0 dB)"),
        (20.0, "clearly changed (20.0 dB)"),
    ],
)
def test_how_close_a_result_is_stands_in_words_with_the_figure(
    faithfulness_db: float, said: str
) -> None:
    facts = card(replace(DONE, faithfulness_db=faithfulness_db))["facts"].split(" · ")
    assert said in facts
