"""What many tests share: real photos that every machine has, settings, and a real engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import hypothesis
import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from photoenhance_ui.engine.engine import open_engine
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights import inventory
from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker, skimage_photo

# How long an example takes tells of the machine, and of what else it does.
SLOW = hypothesis.HealthCheck.too_slow
hypothesis.settings.register_profile("tests", deadline=None, suppress_health_check=[SLOW])
hypothesis.settings.load_profile("tests")


@pytest.fixture
def photo_file(tmp_path: Path) -> PhotoMaker:
    """Writes a small real photo as a file and gives its path."""

    def make(name: str = "chelsea", side: int = 48, file_name: str | None = None) -> Path:
        path = tmp_path / "photos" / (file_name or f"{name}.png")
        path.parent.mkdir(exist_ok=True)
        kept, encoded = cv2.imencode(path.suffix, skimage_photo(name, side)[..., ::-1])
        assert kept
        path.write_bytes(encoded.tobytes())
        return path

    return make


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Offline, on the CPU, with no weights but the built-in ones, computed exactly."""
    folder = tmp_path / "weights"
    folder.mkdir()
    return Settings(
        device="cpu", offline=True, weights_dir=folder, tile_px="128", precision="exact",
        cache_dir=tmp_path / "cache",
    )  # fmt: skip


@pytest.fixture
def networks(settings: Settings) -> HookedNetworks:
    """The real resident networks, with a hook before each run."""
    return HookedNetworks(inventory.installed(settings), settings)


@pytest.fixture
def engine(networks: HookedNetworks, settings: Settings) -> Iterator[Engine]:
    """A real engine with the built-in network."""
    with open_engine(settings, networks=networks) as engine:
        engine.facts(wait=True)
        yield engine
        networks.release()
