"""The log tells what happens, and of nobody's photos, folders or words."""

import logging
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from photoenhance_ui.events import State
from photoenhance_ui.request import Request
from photoenhance_ui.server.service import open_service
from photoenhance_ui.settings import Settings
from photoenhance_ui.traces import trace_of
from testing.driver import run_to_end
from testing.photos import PhotoMaker
from tests.networks.random_weights import random_srvgg

SECRET = "geheim"


def test_no_name_and_no_path_of_anybody_is_logged(
    settings: Settings, tmp_path: Path, photo_file: PhotoMaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "photoenhance_ui")
    save_file(random_srvgg(8, 2, 2), settings.weights_dir / f"{SECRET}.safetensors")
    (settings.weights_dir / f"{SECRET}2.pth").write_bytes(b"no network")
    good, damaged = photo_file("chelsea", 48, f"{SECRET}.png"), photo_file("coffee", 48)
    text, side = (tmp_path / f"{start}{SECRET}.jpg" for start in ("", "._"))
    damaged = damaged.rename(tmp_path / f"{SECRET} (2).png")
    damaged.write_bytes(damaged.read_bytes()[:900])
    for path in (text, side):
        path.write_bytes(b"no picture")
    with open_service(settings, tmp_path / "files", tmp_path / "state") as service:
        batch = service.open_batch("user:me", Request(upscaler=SECRET))
        for path in (good, damaged, text, side, tmp_path / f"{SECRET}-missing.jpg"):
            batch.add(path)
        run_to_end(batch)
        assert [row.state for row in batch.rows] == [State.DONE, *[State.FAILED] * 4]
    assert "photo_failed" in caplog.text and "network_loads name=own" in caplog.text
    assert SECRET not in caplog.text
    assert str(tmp_path) not in caplog.text


def test_what_nobody_foresaw_is_logged_by_where_it_arose(
    settings: Settings, tmp_path: Path, photo_file: PhotoMaker, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def fails(path: Path, *_: object) -> None:
        raise RuntimeError(f"cannot read {path}")

    monkeypatch.setattr("photoenhance_ui.batches.photo_run.read_photo", fails)
    with open_service(settings, tmp_path / "files", tmp_path / "state") as service:
        batch = service.open_batch("user:me", Request(upscaler="builtin"))
        batch.add(photo_file("chelsea", 48, f"{SECRET}.png"))
        run_to_end(batch)
        assert batch.rows[0].code == "unexpected"
    (told,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "RuntimeError" in told.getMessage() and "test_logs.py:" in told.getMessage()
    assert "cannot read" not in caplog.text and str(tmp_path) not in caplog.text


def test_a_trace_holds_no_words_of_an_error_or_its_cause() -> None:
    try:
        try:
            raise FileNotFoundError(2, "No such file", SECRET)
        except OSError as error:
            raise ValueError(SECRET) from error
    except ValueError as error:
        told = trace_of(error)
    assert "ValueError" in told and "FileNotFoundError" in told and "test_logs.py" in told
    assert SECRET not in told
