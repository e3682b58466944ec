"""Every text that the code asks for is there, and every one that is there is asked for."""

import re
from pathlib import Path

from photoenhance_ui.events import Stage, State
from photoenhance_ui.request import OPTIONS, PRESETS
from photoenhance_ui.ui import texts
from photoenhance_ui.ui.texts import ENGLISH, counted, text

FOLDER = Path(texts.__file__).parent


def asked() -> set[str]:
    """The keys that stand in the code, and those that are put together from names."""
    keys: set[str] = set()
    for path in FOLDER.glob("*.py"):
        code = path.read_text(encoding="utf-8")
        keys |= set(re.findall(r"\btext\(\s*\"([\w.]+)\"", code))
        for key in re.findall(r"\bcounted\(\s*[\"']([\w.]+)[\"']", code):
            keys |= {key, f"{key}.one"}
        keys |= set(re.findall(r"\btext\(\s*'([\w.]+)'", code))
    heads = ("name", "state", "progress", "notes")
    keys |= {f"rows.{name}" for name in heads}
    keys |= {f"state.{state.value}" for state in State}
    keys |= {f"stage.{stage.value}" for stage in Stage}
    keys |= {f"preset.{name}" for name in PRESETS}
    keys |= {f"option.{o.name}" for o in OPTIONS} | {f"option.{o.name}.meaning" for o in OPTIONS}
    keys |= {f"choice.{choice}" for o in OPTIONS for choice in o.choices}
    return keys


def test_no_text_is_missing_and_none_is_left_over() -> None:
    assert asked() == set(ENGLISH)


def test_values_are_filled_in() -> None:
    assert text("note.size", width=3, height=2) == "3 × 2"
    assert counted("note.faces", 1) == "1 face"
    assert counted("note.faces", 3) == "3 faces"
