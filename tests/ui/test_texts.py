"""Every text that the code asks for is there in both languages, and none is left over."""

import re
from pathlib import Path
from string import Formatter

import pytest

from photoenhance_ui import errors
from photoenhance_ui.catalogue import CATALOGUE, Role
from photoenhance_ui.events import Stage, State
from photoenhance_ui.geometry import Size
from photoenhance_ui.pipeline.plan import Choice, EngineFacts, UpscalerFacts, make_plan
from photoenhance_ui.request import BUILTIN, OPTIONS, PRESETS, RESAMPLE_ONLY, Request
from photoenhance_ui.ui import texts
from photoenhance_ui.ui.examples import EXAMPLES
from photoenhance_ui.ui.texts import CHINESE, ENGLISH, Language, preferred, texts_in
from photoenhance_ui.ui.viewer import WORDS

FOLDER = Path(texts.__file__).parent


def asked() -> set[str]:
    """The keys that stand in the code, and those that are put together from names."""
    keys: set[str] = set()
    known = set(ENGLISH.table)
    for path in FOLDER.glob("*.py"):
        code = path.read_text(encoding="utf-8")
        if path.name != "texts.py":
            keys |= {found for found in re.findall(r"[\"']([\w. ]+)[\"']", code) if found in known}
        for key in re.findall(r"counted\(\s*[\"']([\w.]+)[\"']", code):
            keys |= {key, f"{key}.one"}
        keys |= set(re.findall(r"\bself\(\"([\w.]+)\"", code))
    words = ("list", "open", "choose", "progress", "cancel", "retry", "save")
    keys |= {f"photo.{word}" for word in words} | {f"photo.{word}.label" for word in words[4:]}
    keys |= {f"viewer.{word}" for word in WORDS}
    keys |= {f"networks.{name}" for name in ("name", "purpose", "size", "licence", "state")}
    keys |= {"networks.own.purpose", "networks.builtin.purpose"}
    keys |= {f"role.{role.value}" for role in Role}
    keys |= {f"example.{name}" for name in EXAMPLES}
    keys |= {f"state.{state.value}" for state in State}
    keys |= {f"stage.{stage.value}" for stage in Stage}
    keys |= {f"preset.{name}" for name in PRESETS}
    keys |= {f"option.{o.name}" for o in OPTIONS} | {f"option.{o.name}.meaning" for o in OPTIONS}
    keys |= {f"choice.{choice}" for o in OPTIONS for choice in o.choices}
    return keys


def test_no_text_is_missing_and_none_is_left_over() -> None:
    assert asked() == set(ENGLISH.table)


def test_both_languages_have_the_same_texts_with_the_same_gaps() -> None:
    assert set(CHINESE.table) == set(ENGLISH.table)
    for key, english in ENGLISH.table.items():
        assert gaps(CHINESE.table[key]) == gaps(english), key
        assert CHINESE.table[key].strip(), key


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_what_is_translated_is_chinese() -> None:
    same = {key for key in ENGLISH.table if ENGLISH.table[key] == CHINESE.table[key]}
    names = {"title", "viewer.full", "note.size", "networks.megabytes"}
    assert same <= names | {key for key in ENGLISH.table if key.startswith("choice.")}


def test_values_are_filled_in() -> None:
    assert ENGLISH("note.size", width=3, height=2) == "3 × 2"
    assert ENGLISH.counted("note.faces", 1) == "1 face"
    assert ENGLISH.counted("note.faces", 3) == "3 faces"
    assert CHINESE.counted("note.faces", 3) == "3 张人脸"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (59, "59 s"), (61, "1 min"), (7500, "2 h 5 min")]
)
def test_durations_are_told_in_the_largest_unit(seconds: float, said: str) -> None:
    assert ENGLISH.duration(seconds) == said


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh-TW;q=0.8", "en"),
        ("de,zh;q=0.5,en;q=0.1", "zh"),
        ("fr-FR", "en"),
        ("zh;q=nonsense,en", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_the_language_follows_the_browser(header: str | None, language: str) -> None:
    assert preferred(header) == language


def test_an_unknown_language_is_english() -> None:
    assert texts_in("zh").language is Language.CHINESE
    assert texts_in("de") is ENGLISH
    assert texts_in(None) is ENGLISH


def every_error(kind: type[errors.PhotoEnhanceError]) -> set[str]:
    return {kind.code}.union(*(every_error(child) for child in kind.__subclasses__()))


def test_every_reason_is_told_in_both_languages() -> None:
    for code in every_error(errors.PhotoEnhanceError) | {"cancelled"}:
        assert CHINESE.reason(code, "A sentence.") != "A sentence.", code
        assert ENGLISH.reason(code, "A sentence.") == "A sentence."
    assert CHINESE.reason("new", "A sentence.") == "A sentence."


def test_what_a_plan_warns_of_is_told_in_both_languages() -> None:
    facts = EngineFacts(
        device="cpu", device_name="CPU", upscalers={BUILTIN: UpscalerFacts(scale=4)}, detector=None,
        restorer=None, parser=None, default_precision="exact", tile_px=256,
        max_output_pixels=1_000_000,
    )  # fmt: skip
    wish = Request(denoise=0.9, scale=4.0, precision="fast")  # type: ignore[arg-type]
    warnings: set[str] = set()
    for upscaler in (BUILTIN, RESAMPLE_ONLY):
        choice = Choice(upscaler, None, None, None)
        plan = make_plan(Size(900, 900), wish, choice, facts, runs_fast=False, tile_px=None)
        warnings |= set(plan.warnings)
    assert len(warnings) == 6
    for warning in warnings:
        assert CHINESE.warning(warning) != warning, warning
        assert ENGLISH.warning(warning) == warning
    assert CHINESE.warning("Something new.") == "Something new."


def test_every_network_is_described_in_chinese() -> None:
    for file in CATALOGUE:
        assert CHINESE.purpose(file.name, file.purpose) != file.purpose
        assert ENGLISH.purpose(file.name, file.purpose) == file.purpose
