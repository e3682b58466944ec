"""What the page shows of a report: nothing is lost, nothing of a photo's name becomes HTML."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from photoenhance_ui.downloads import DownloadPhase, DownloadState
from photoenhance_ui.events import Row, Stage, State
from photoenhance_ui.plan import EngineFacts, UpscalerFacts
from photoenhance_ui.ui.texts import CHINESE, ENGLISH
from photoenhance_ui.ui.view import (
    Picture,
    PictureKind,
    Tally,
    banner_html,
    card_of,
    cards_of,
    common_warnings,
    empty_html,
    networks_html,
    summary_html,
)

DONE = Row(
    "done.jpg", State.DONE, progress=1.0, width=200, height=100, faces=2, networks=("net",),
    precision="exact", seconds=1.25, faithfulness_db=40.25, output="/r/done_enhanced.jpg",
)  # fmt: skip
FAILED = Row("bad.jpg", State.FAILED, code="not_a_photo", reason="This is no photo.")
CANCELLED = Row("gone.jpg", State.CANCELLED, code="cancelled", reason="It was cancelled.")
WORKING = Row("now.jpg", State.WORKING, stage=Stage.ENLARGING, progress=0.5)
QUEUED = Row("later.jpg", stage=Stage.WAITING)
EVERY = [DONE, FAILED, CANCELLED, WORKING, QUEUED]
NASTY = "<img src=x onerror=alert(1)>\"'&"


def words(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html)


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
    assert value["words"]["open"] == "仔细查看 {name}"
    assert len(value["cards"]) == len(EVERY)


def test_sentences_never_become_html() -> None:
    done = replace(DONE, name=NASTY, warnings=(NASTY,))
    model = model_of(NASTY, purpose=NASTY, licence=NASTY, problem=NASTY)
    html = summary_html([done, done], None, ENGLISH)
    html += networks_html([model], [], ENGLISH, downloadable=True)
    assert "<img" not in html
    assert html.count("&lt;img") >= 3


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([WORKING, DONE], "1 of 2 finished"),
        ([DONE], "Your photo is ready"),
        ([DONE, DONE], "All 2 photos are ready"),
        ([DONE, FAILED], "1 of 2 photos are ready"),
        ([FAILED], "No photo could be finished"),
        ([DONE, CANCELLED], "the rest was cancelled"),
    ],
)
def test_the_summary_says_how_it_stands(rows: list[Row], said: str) -> None:
    assert said in words(summary_html(rows, None, ENGLISH))


def test_the_summary_says_what_to_do_and_how_long_it_takes() -> None:
    assert summary_html([], None, ENGLISH) == ""
    assert "2 min left" in summary_html([WORKING], 118.0, ENGLISH)
    assert "left" not in summary_html([WORKING], None, ENGLISH)
    assert "compare" in summary_html([DONE], None, ENGLISH)
    assert "tried again" in summary_html([DONE, FAILED], None, ENGLISH)
    assert "says why" in summary_html([FAILED], None, ENGLISH)
    assert '<progress max="100" value="75"' in summary_html([WORKING, DONE], None, ENGLISH)
    assert "<progress" not in summary_html([DONE], None, ENGLISH)


def test_what_all_are_warned_of_is_said_once() -> None:
    one = replace(DONE, warnings=("Both.", "Only one."))
    other = replace(DONE, warnings=("Both.",))
    said = common_warnings([one, other, FAILED])
    assert said == ("Both.",)
    assert "Both." in summary_html([one, other], None, ENGLISH)
    assert card_of("id", one, None, said, ENGLISH)["warnings"] == ["Only one."]
    assert card(other)["warnings"] == ["Both."]


def test_the_tally_counts() -> None:
    tally = Tally.of(EVERY)
    assert (tally.total, tally.done, tally.failed, tally.cancelled) == (5, 1, 1, 1)
    assert tally.running
    assert tally.again == 2
    assert not Tally.of([DONE, FAILED]).running
    assert not Tally.of([]).running


def facts(**changes: object) -> EngineFacts:
    """Facts of a machine with the built-in network alone, but for ``changes``."""
    known: dict[str, object] = {
        "device": "cpu",
        "device_name": "CPU (2 threads)",
        "upscalers": {"builtin": UpscalerFacts(scale=4)},
        "detector": None,
        "restorer": None,
        "parser": None,
        "default_precision": "exact",
        "tile_px": 256,
    }
    return EngineFacts(**{**known, **changes})  # type: ignore[arg-type]


def test_an_empty_page_says_what_to_expect_and_offers_examples() -> None:
    html = empty_html({"coffee": Path("/f/coffee.jpg")}, facts(), ENGLISH)
    assert "appear here" in words(html)
    assert 'data-act="take_example" data-name="coffee"' in html
    assert "咖啡" in empty_html({"coffee": Path("/f/coffee.jpg")}, facts(), CHINESE)


def test_where_nothing_is_installed_the_page_says_what_to_do() -> None:
    assert "No network is installed" in words(empty_html({}, facts(upscalers={}), ENGLISH))


def test_the_banner_names_the_networks_and_what_is_absent() -> None:
    told = words(banner_html(facts(), [], ENGLISH))
    assert "builtin" in told and "CPU (2 threads)" in told
    assert "No network that restores faces" in told
    whole = words(banner_html(facts(detector="find", restorer="mend", parser="parse"), [], ENGLISH))
    for name in ("find", "mend", "parse"):
        assert name in whole
    assert "No network" not in whole


def download(name: str, phase: DownloadPhase, **changes: object) -> DownloadState:
    return replace(DownloadState(name, 10, phase=phase), **changes)


def test_the_banner_says_how_far_downloads_are() -> None:
    states = [
        download("big", DownloadPhase.LOADING, done_bytes=25_000_000, total_bytes=100_000_000),
        download("next", DownloadPhase.WAITING),
        download("bad", DownloadPhase.FAILED, reason="bad could not be downloaded."),
        download("there", DownloadPhase.DONE),
    ]
    html = banner_html(facts(), states, ENGLISH)
    assert "Downloading big: 25 of 100 MB" in html
    assert 'value="25"' in html
    assert "1 more to download" in html
    assert "bad could not be downloaded." in html
    assert "there" not in words(html)


def model_of(name: str, **changes: object) -> dict[str, Any]:
    """A line of ``/models`` for a network of the catalogue."""
    return {
        "name": name,
        "role": "upscaler",
        "purpose": "Photos, twice as large",
        "bytes": 67_061_725,
        "licence": "BSD-3-Clause",
        "url": None if changes else "https://example.org/file",
        "installed": False,
        "problem": None,
        **changes,
    }


def test_the_networks_table_tells_what_each_is_and_how_it_stands() -> None:
    model = model_of("RealESRGAN_x2plus")

    def table(*states: DownloadState, **changes: object) -> str:
        models = [{**model, **changes}]
        return networks_html(models, states, ENGLISH, downloadable=True)

    told = words(table())
    for fact in ("RealESRGAN_x2plus", "Enlarging", "twice as large", "67.1 MB", "BSD-3-Clause"):
        assert fact in told
    assert 'data-act="fetch_network" data-name="RealESRGAN_x2plus"' in table()
    assert "Installed" in words(table(installed=True))
    loading = download("RealESRGAN_x2plus", DownloadPhase.LOADING, done_bytes=5)
    assert "<progress" in table(loading)
    assert "Waits" in table(download("RealESRGAN_x2plus", DownloadPhase.WAITING))
    failed = table(download("RealESRGAN_x2plus", DownloadPhase.FAILED, reason="It broke."))
    assert "It broke." in failed and "data-act" in failed, "one may try again"


def test_a_network_that_may_not_be_fetched_has_no_button() -> None:
    models = [model_of("RealESRGAN_x2plus"), model_of("codeformer")]
    refused = networks_html(models, [], CHINESE, downloadable=False)
    assert "data-act" not in refused and "照片，放大两倍" in refused
    allowed = networks_html(models, [], ENGLISH, downloadable=True)
    assert allowed.count("data-act") == 1, "CodeFormer is never run"
