"""What every door tells: the same facts, as plain JSON."""

import json
from pathlib import Path

import pytest

from photoenhance_ui.catalogue import CATALOGUE
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.request import PRESETS
from photoenhance_ui.server.reports import models_report, status_report
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.downloads import DownloadPhase, DownloadState
from photoenhance_ui.weights.inventory import BUILTIN_FILE, take_stock


def test_status_tells_device_networks_downloads_and_queue(engine: Engine) -> None:
    downloads = [DownloadState("GFPGANv1.4", 348, 100, DownloadPhase.LOADING)]
    told = status_report(engine.facts(), engine.queue(), downloads)
    assert told["device"] == "cpu"
    assert told["networks"]["upscalers"] == ["builtin"]
    assert told["networks"]["restorer"] is None
    assert told["queue"] == {"working": 0, "waiting": 0}
    assert told["downloads"] == [
        {
            "name": "GFPGANv1.4", "state": "downloading", "done_bytes": 100,
            "total_bytes": 348, "reason": None,
        }
    ]  # fmt: skip
    assert json.loads(json.dumps(told)) == told


def test_models_tells_every_known_file_and_the_presets(engine: Engine, settings: Settings) -> None:
    told = models_report(take_stock(settings), engine.facts())
    names = [model["name"] for model in told["models"]]
    assert names == ["builtin", *(file.name for file in CATALOGUE)]
    assert [model["name"] for model in told["models"] if model["installed"]] == ["builtin"]
    assert list(told["presets"]) == list(PRESETS)
    assert json.loads(json.dumps(told)) == told


def test_a_damaged_file_and_one_of_ones_own_are_told_of(engine: Engine, settings: Settings) -> None:
    (settings.weights_dir / "RealESRGAN_x2plus.pth").write_bytes(b"half a file")
    own = settings.weights_dir / "mine.safetensors"
    own.write_bytes(Path(BUILTIN_FILE).read_bytes())
    engine.networks_arrived()
    told = models_report(take_stock(settings), engine.facts())
    models = {model["name"]: model for model in told["models"]}
    assert not models["RealESRGAN_x2plus"]["installed"]
    assert "RealESRGAN_x2plus.pth" in models["RealESRGAN_x2plus"]["problem"]
    assert models["mine"]["installed"]
    assert models["mine"]["scale"] == 4
    assert "mine" in told["upscalers"]


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_prefer_only_what_is_installed(
    engine: Engine, settings: Settings, name: str
) -> None:
    told = models_report(take_stock(settings), engine.facts())
    assert told["presets"][name]["upscaler"] in told["upscalers"]
