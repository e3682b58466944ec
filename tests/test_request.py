import json
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.errors import InvalidOption
from photoenhance_ui.options import Option
from photoenhance_ui.request import (
    AUTO,
    OPTIONS,
    PRESETS,
    RESAMPLE_ONLY,
    SAVING_OPTIONS,
    Faces,
    OutputFormat,
    Precision,
    Request,
    Saving,
    preset_options,
)

every_option = pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
numbers = [option for option in OPTIONS if option.lowest is not None]
every_number = pytest.mark.parametrize("option", numbers, ids=lambda option: option.name)

anything = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
)


def test_each_field_has_its_option_with_the_same_default() -> None:
    own = [field.name for field in fields(Request) if field.name != "saving"]
    saving = [field.name for field in fields(Saving)]
    assert [option.name for option in OPTIONS] == own + saving
    assert [option.name for option in SAVING_OPTIONS] == saving
    defaults = {option.name: option.default for option in OPTIONS}
    assert Request.from_options(defaults) == Request()
    assert Request().as_options() == defaults


def test_the_doors_see_one_flat_mapping() -> None:
    options = {"scale": 3.0, "output_format": "webp", "quality": 80}
    request = Request.from_options(options)
    assert request == Request(scale=3.0, saving=Saving(OutputFormat.WEBP, 80))
    assert request.as_options() == Request().as_options() | options
    assert Request.from_options(request.as_options()) == request
    with pytest.raises(InvalidOption, match="no option named 'saving'"):
        Request.from_options({"saving": {}})


@every_option
def test_options_describe_themselves(option: Option) -> None:
    assert option.meaning.endswith(".")
    assert isinstance(option.default, option.kind)


def test_the_words_of_scripts_are_taken() -> None:
    request = Request.from_options(
        {"faces": "largest", "precision": "exact", "output_format": "webp", "scale": 3}
    )
    assert request.faces is Faces.LARGEST
    assert request.precision is Precision.EXACT
    assert request.saving.output_format is OutputFormat.WEBP
    assert type(request.scale) is float


def test_the_words_are_exactly_those_promised() -> None:
    assert [str(word) for word in Faces] == ["all", "largest", "none"]
    assert [str(word) for word in Precision] == ["auto", "exact", "fast"]
    formats = ["same", "png", "jpeg", "webp", "tiff", "avif"]
    assert [str(word) for word in OutputFormat] == formats


@every_number
def test_both_ends_of_a_range_are_allowed(option: Option) -> None:
    for value in (option.lowest, option.highest):
        assert Request.from_options({option.name: value}).as_options()[option.name] == value


@every_number
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400, -1, True])
def test_numbers_out_of_range_are_refused(option: Option, value: float) -> None:
    with pytest.raises(InvalidOption) as refused:
        Request.from_options({option.name: value})
    assert option.name in refused.value.sentence
    assert f"{option.highest:g}" in refused.value.sentence


def test_a_fraction_is_no_quality() -> None:
    assert Saving(quality=90.0).quality == 90  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="whole number"):
        Saving(quality=90.5)  # type: ignore[arg-type]


@given(option=st.sampled_from(OPTIONS), value=anything)
def test_any_value_is_either_taken_or_refused_with_a_sentence(option: Option, value: Any) -> None:
    try:
        request = Request.from_options({option.name: value})
    except InvalidOption as refused:
        assert option.name in refused.sentence
        return
    kept = request.as_options()[option.name]
    assert isinstance(kept, option.kind)
    if option.lowest is not None and option.highest is not None:
        assert option.lowest <= kept <= option.highest
    assert Request.from_options({option.name: kept}) == request


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidOption) as refused:
        Request.from_options({"zoom": 2})
    assert "zoom" in refused.value.sentence
    assert all(option.name in refused.value.sentence for option in OPTIONS)


def test_a_request_does_not_change_and_crosses_processes() -> None:
    request = Request(scale=3, faces=Faces.LARGEST)
    with pytest.raises(FrozenInstanceError):
        request.scale = 2.0  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(request)) == request
    assert len({request, Request(scale=3, faces=Faces.LARGEST)}) == 1


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_fills_every_option_with_what_is_allowed(name: str) -> None:
    options = preset_options(name, installed_upscalers=[])
    assert list(options) == [option.name for option in OPTIONS]
    assert Request.from_options(options).upscaler == AUTO
    assert Request.from_options(json.loads(json.dumps(options))) == Request.from_options(options)


def test_presets_differ_where_their_upscalers_are_there() -> None:
    upscalers = {
        preset["upscaler"] for preset in PRESETS.values() if preset.get("upscaler") is not None
    }
    requests = {Request.from_options(preset_options(name, upscalers)) for name in PRESETS}
    assert len(requests) == len(PRESETS)


def test_a_preset_takes_its_upscaler_only_where_it_is_installed() -> None:
    assert preset_options("fast", ["builtin"])["upscaler"] == "builtin"
    assert preset_options("fast", ["other"])["upscaler"] == AUTO


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidOption, match="everyday"):
        preset_options("sharp", [])


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["everyday"]["scale"] = 4  # type: ignore[index]


@pytest.mark.parametrize("name", ["", "  "])
def test_an_upscaler_needs_a_name(name: str) -> None:
    with pytest.raises(InvalidOption):
        Request(upscaler=name)
    assert Request(upscaler=f" {RESAMPLE_ONLY} ").upscaler == RESAMPLE_ONLY
