"""A real server on the built-in network, with a hook before each run of a network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from photoenhance_ui.settings import Settings, settings_from
from photoenhance_ui.ui.launch import Running, serving
from testing.driver import wait_until
from testing.hooked import HookedNetworks


@dataclass
class Served:
    """A page that answers, and what it runs on."""

    running: Running
    networks: HookedNetworks
    settings: Settings

    @property
    def url(self) -> str:
        return self.running.url

    def client(self) -> Client:
        return Client(self.url, download_files=False, verbose=False)

    def quiet(self) -> bool:
        """Whether no photo is being worked on or waits."""
        queue = self.running.service.engine.queue()
        return queue.working + queue.waiting == 0


@contextmanager
def serving_on(
    networks: Callable[..., Any], folder: Path, **given: Any
) -> Iterator[tuple[Running, Settings]]:
    """The page in ``folder``, on what ``networks`` makes of no files and the settings."""
    weights = folder / "weights"
    weights.mkdir(exist_ok=True)
    settings = settings_from(
        {"device": "cpu", "offline": True, "weights_dir": weights, "tile_px": "128", **given}, {}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "files"))
        with serving(settings, folder / "state", networks=networks({}, settings)) as running:
            yield running, settings


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made: list[HookedNetworks] = []

    class Kept(HookedNetworks):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            made.append(self)

    with serving_on(Kept, tmp_path_factory.mktemp("server")) as (running, settings):
        yield Served(running, made[0], settings)


@pytest.fixture(autouse=True)
def released(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did to the networks ends with it."""
    yield
    if "served" in request.fixturenames:
        served: Served = request.getfixturevalue("served")
        served.networks.release()
        served.networks.hook = lambda work: None
        wait_until(served.quiet)


def written(folder: Path, name: str, content: bytes) -> Path:
    """A file of that name with that content."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path
