"""What the page says of a whole batch, and of none."""

from dataclasses import replace
from pathlib import Path

import pytest

from photoenhance_ui.events import Row
from photoenhance_ui.ui.cards import card_of
from photoenhance_ui.ui.summary import Tally, common_warnings, empty_html, summary_html
from photoenhance_ui.ui.texts import CHINESE, ENGLISH
from tests.ui.facts import facts
from tests.ui.rows import CANCELLED, DONE, EVERY, FAILED, NASTY, WORKING, words


def test_warnings_never_become_html() -> None:
    done = replace(DONE, name=NASTY, warnings=(NASTY,))
    html = summary_html([done, done], None, ENGLISH)
    assert "<img" not in html
    assert html.count("&lt;img") == 1


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
    assert card_of("id", other, None, (), ENGLISH)["warnings"] == ["Both."]


def test_the_tally_counts() -> None:
    tally = Tally.of(EVERY)
    assert (tally.total, tally.done, tally.failed, tally.cancelled) == (5, 1, 1, 1)
    assert tally.running
    assert tally.again == 2
    assert not Tally.of([DONE, FAILED]).running
    assert not Tally.of([]).running


def test_an_empty_page_says_what_to_expect_and_offers_examples() -> None:
    html = empty_html({"coffee": Path("/f/coffee.jpg")}, facts(), ENGLISH)
    assert "appear here" in words(html)
    assert 'data-act="take_example" data-name="coffee"' in html
    assert "咖啡" in empty_html({"coffee": Path("/f/coffee.jpg")}, facts(), CHINESE)


def test_where_nothing_is_installed_the_page_says_what_to_do() -> None:
    assert "No network is installed" in words(empty_html({}, facts(upscalers={}), ENGLISH))
