import argparse
import os
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.options import Option
from photoenhance_ui.settings import (
    EMBEDDED_WEIGHTS_DIR,
    FLAGS,
    Settings,
    add_flags,
    parse_settings,
    settings_from,
)

every_flag = pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)

OTHER_VALUES = {
    "host": "0.0.0.0", "port": "8080", "auth": "me:secret", "keep_hours": "1.5",
    "root_path": "/photos", "trusted_proxies": "10.0.0.0/8,::1",
}  # fmt: skip


def other_value(flag: Option) -> str:
    """A value that the flag may have and that is not its default, as a person would type it."""
    if flag.kind is bool:
        return str(not flag.default).lower()
    if flag.choices:
        return flag.choices[-1]
    if flag.kind is Path:
        return "/tmp/elsewhere"
    return OTHER_VALUES.get(flag.name, "100")


def test_each_field_has_its_flag() -> None:
    assert [flag.name for flag in FLAGS] == [field.name for field in fields(Settings)]


def test_the_defaults_of_flags_and_fields_are_the_same() -> None:
    assert settings_from({}, {}) == Settings()


@every_flag
def test_defaults_are_allowed_and_of_their_kind(flag: Option) -> None:
    assert isinstance(flag.default, flag.kind)
    assert not flag.choices or flag.default in flag.choices
    assert flag.lowest is None or flag.lowest <= flag.default
    assert flag.meaning.endswith(".")


@every_flag
def test_each_flag_has_a_variable(flag: Option) -> None:
    value = getattr(settings_from({}, {flag.variable: other_value(flag)}), flag.name)
    assert value != getattr(Settings(), flag.name)
    assert isinstance(value, flag.kind)
    assert flag.variable == f"PHOTOENHANCE_{flag.name.upper()}"


@every_flag
def test_each_flag_wins_over_its_variable(flag: Option) -> None:
    given = [flag.flag] if flag.kind is bool else [flag.flag, other_value(flag)]
    if flag.kind is bool and flag.default:
        given = [flag.flag.replace("--", "--no-")]
    variable = {flag.variable: str(flag.default).lower()}
    from_flag = parse_settings(given, variable)
    assert from_flag == settings_from({}, {flag.variable: other_value(flag)})
    assert from_flag != Settings()


@every_flag
def test_an_empty_variable_is_as_none(flag: Option) -> None:
    assert settings_from({}, {flag.variable: ""}) == Settings()


def test_the_environment_of_the_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PHOTOENHANCE_", "GRADIO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PHOTOENHANCE_HANDLERS", "7")
    assert settings_from({}).handlers == 7


def test_gradio_variables_count_where_ours_are_not_set() -> None:
    gradio = {"GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "9000"}
    settings = settings_from({}, gradio)
    assert (settings.host, settings.port) == ("0.0.0.0", 9000)
    ours = {**gradio, "PHOTOENHANCE_HOST": "::1", "PHOTOENHANCE_PORT": "9001"}
    settings = settings_from({}, ours)
    assert (settings.host, settings.port) == ("::1", 9001)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PHOTOENHANCE_PORT", "many"),
        ("PHOTOENHANCE_PORT", "-1"),
        ("PHOTOENHANCE_PORT", "65536"),
        ("PHOTOENHANCE_PORT", "7860.5"),
        ("GRADIO_SERVER_PORT", "x"),
        ("GRADIO_SERVER_PORT", "70000"),
        ("PHOTOENHANCE_HANDLERS", "0"),
        ("PHOTOENHANCE_IN_FLIGHT", "0"),
        ("PHOTOENHANCE_MAX_PHOTOS", "0"),
        ("PHOTOENHANCE_MAX_MEGABYTES", "0"),
        ("PHOTOENHANCE_MAX_MEGABYTES", "inf"),
        ("PHOTOENHANCE_MAX_MEGAPIXELS", "nan"),
        ("PHOTOENHANCE_MAX_MEGAPIXELS", "-3"),
        ("PHOTOENHANCE_MAX_OUTPUT_MEGAPIXELS", "0"),
        ("PHOTOENHANCE_KEEP_HOURS", "-1"),
        ("PHOTOENHANCE_DEVICE", "gpu"),
        ("PHOTOENHANCE_PRECISION", "half"),
        ("PHOTOENHANCE_FACE_DETECTOR", "nobody"),
        ("PHOTOENHANCE_TILE_PX", "100"),
        ("PHOTOENHANCE_OFFLINE", "maybe"),
        ("PHOTOENHANCE_WEIGHTS_DIR", "~nobody-of-that-name/weights"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name_and_value(variable: str, value: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        settings_from({}, {variable: value})
    assert variable in refused.value.sentence
    assert value.partition("/")[0] in refused.value.sentence


@pytest.mark.parametrize("value", ["nobody", ":", "me:", ":secret"])
def test_a_half_login_is_refused_and_not_told(value: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        settings_from({"auth": value}, {})
    assert "secret" not in refused.value.sentence


def test_a_result_limit_below_the_photo_limit_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="max-output-megapixels"):
        settings_from({"max_output_megapixels": "10", "max_megapixels": "20"}, {})


@pytest.mark.parametrize(
    ("word", "truth"),
    [("1", True), ("Yes", True), (" on ", True), ("0", False), ("FALSE", False), ("off", False)],
)
def test_truth_in_a_variable(word: str, truth: bool) -> None:
    assert settings_from({}, {"PHOTOENHANCE_OFFLINE": word}).offline is truth


def test_the_weights_folder_is_absolute_wherever_the_program_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_from({"weights_dir": "mine"}, {}).weights_dir == tmp_path / "mine"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings_from({"weights_dir": "~/mine"}, {}).weights_dir == tmp_path / "mine"
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSetting, match=r"--weights-dir: .*file is no folder"):
        settings_from({"weights_dir": "file"}, {})
    assert EMBEDDED_WEIGHTS_DIR.is_absolute()


def test_limits_are_counted_in_bytes_and_pixels() -> None:
    settings = Settings(max_megabytes=1.5, max_megapixels=2.5, max_output_megapixels=4)
    assert settings.max_bytes == 1_500_000
    assert settings.max_pixels == 2_500_000
    assert settings.max_output_pixels == 4_000_000


class Noting(argparse.ArgumentParser):
    """A parser that notes what it is given."""

    def __init__(self) -> None:
        self.noted: dict[str, argparse.Action] = {}
        super().__init__(add_help=False)

    def add_argument(self, *flags: Any, **kind: Any) -> argparse.Action:
        action = super().add_argument(*flags, **kind)
        self.noted[action.dest] = action
        return action


def options_of(*, page: bool) -> dict[str, argparse.Action]:
    parser = Noting()
    add_flags(parser, page=page)
    assert parser.format_help()
    return parser.noted


def test_the_command_line_has_all_but_the_flags_of_the_page() -> None:
    assert set(options_of(page=True)) == {flag.name for flag in FLAGS}
    assert set(options_of(page=False)) == {flag.name for flag in FLAGS if not flag.page_only}


def test_help_tells_meaning_and_choices() -> None:
    actions = options_of(page=True)
    for flag in FLAGS:
        told: Any = actions[flag.name].help
        assert flag.meaning in told
        assert all(choice in told for choice in flag.choices)


def test_a_wrong_flag_ends_with_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_settings(["--device", "gpu"], {})
    assert ended.value.code == 2
    assert "--device must be one of" in capsys.readouterr().err


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "given",
    [{"root_path": "photos.example.org"}, {"trusted_proxies": "proxy"}, {"auth": "me"},
     {"trusted_proxies": "10.0.0.1,*"}],
)  # fmt: skip
def test_what_cannot_be_meant_is_said_at_once(given: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match=f"--{next(iter(given)).replace('_', '-')}"):
        settings_from(given, {})
