"""What the page shows of a report: nothing is lost, nothing of a photo's name becomes HTML."""

import re
from dataclasses import replace

import pytest

from photoenhance_ui.downloads import DownloadPhase, DownloadState
from photoenhance_ui.events import Row, Stage, State
from photoenhance_ui.plan import EngineFacts, UpscalerFacts
from photoenhance_ui.ui.view import Tally, banner_html, common_warnings, rows_html, summary_html

DONE = Row(
    "done.jpg", State.DONE, progress=1.0, width=200, height=100, faces=2, networks=("net",),
    precision="exact", seconds=1.25, faithfulness_db=40.25, output="/r/done_enhanced.jpg",
)  # fmt: skip
FAILED = Row("bad.jpg", State.FAILED, code="not_a_photo", reason="This is no photo.")
CANCELLED = Row("gone.jpg", State.CANCELLED, code="cancelled", reason="It was cancelled.")
WORKING = Row("now.jpg", State.WORKING, stage=Stage.ENLARGING, progress=0.5)
QUEUED = Row("later.jpg", stage=Stage.WAITING)
EVERY = [DONE, FAILED, CANCELLED, WORKING, QUEUED]


def words(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html)


def test_every_photo_has_its_line_in_the_order_given() -> None:
    html = rows_html(EVERY)
    assert re.findall(r'data-state="(\w+)"', html) == [row.state.value for row in EVERY]
    assert re.findall(r"\w+\.jpg(?=</span>)", html) == [row.name for row in EVERY]


def test_a_finished_photo_tells_its_facts() -> None:
    told = words(rows_html([DONE]))
    for fact in ("200 × 100", "2 faces", "1.2 s", "40.2 dB", "net"):
        assert fact in told


def test_a_failed_photo_tells_why() -> None:
    assert "This is no photo." in words(rows_html([FAILED]))


def test_progress_is_a_bar_that_can_be_read() -> None:
    assert '<progress max="100" value="50" aria-label="now.jpg"' in rows_html([WORKING])


def test_names_and_sentences_never_become_html() -> None:
    nasty = "<img src=x onerror=alert(1)>\"'&"
    row = replace(FAILED, name=nasty, reason=nasty)
    done = replace(DONE, name=nasty, networks=(nasty,), warnings=(nasty,))
    html = rows_html([row, done]) + summary_html([done, done])
    assert "<img" not in html
    assert html.count("&lt;img") >= 5


def test_no_rows_say_what_to_expect() -> None:
    assert rows_html([]) == ""
    assert "appear here" in summary_html([])


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
    assert said in words(summary_html(rows))


def test_what_all_are_warned_of_is_said_once() -> None:
    one = replace(DONE, warnings=("Both.", "Only one."))
    other = replace(DONE, warnings=("Both.",))
    assert common_warnings([one, other, FAILED]) == ("Both.",)
    page = summary_html([one, other]) + rows_html([one, other])
    assert page.count("Both.") == 1
    assert page.count("Only one.") == 1
    assert "Both." in rows_html([other])


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
        "finder": None,
        "restorer": None,
        "parser": None,
        "default_precision": "exact",
        "tile_px": 256,
    }
    return EngineFacts(**{**known, **changes})  # type: ignore[arg-type]


def test_the_banner_names_the_networks_and_what_is_absent() -> None:
    told = words(banner_html(facts(), []))
    assert "builtin" in told and "CPU (2 threads)" in told
    assert "No network that restores faces" in told
    whole = words(banner_html(facts(finder="find", restorer="mend", parser="parse"), []))
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
    html = banner_html(facts(), states)
    assert "Downloading big: 25 of 100 MB" in html
    assert 'value="25"' in html
    assert "1 more to download" in html
    assert "bad could not be downloaded." in html
    assert "there" not in words(html)
