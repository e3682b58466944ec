"""Texts as strings of CSS."""

import doctest

from photoenhance_ui.ui import theme
from photoenhance_ui.ui.texts import CHINESE, ENGLISH
from photoenhance_ui.ui.theme import css_string


def test_examples_hold() -> None:
    assert doctest.testmod(theme).failed == 0


def test_no_text_ends_its_string_or_its_element() -> None:
    for text in ("a'b", 'a"b', "a\\", "a\nb", "</style>", "}", *ENGLISH.table.values()):
        written = css_string(text)
        assert written[0] == written[-1] == "'"
        assert not set("'\"<>{};\n") & set(written[1:-1])


def test_plain_words_stay_readable() -> None:
    assert css_string("JPEG, PNG") == "'JPEG, PNG'"
    assert css_string(CHINESE("drop")).startswith("'把照片拖到这里")
