"""A network from outside takes its place after it ran once, and leaves nothing where it did not."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from photoenhance_ui.networks.shapes import srvgg_shapes
from photoenhance_ui.server.manage import NetworkRefused, install_network
from photoenhance_ui.server.service import Service, open_service
from photoenhance_ui.settings import Settings
from testing.pth_files import mapping, numbers, tensor, text, written_archive, written_legacy
from tests.networks.random_weights import random_srvgg


@pytest.fixture
def service(settings: Settings, tmp_path: Path) -> Iterator[Service]:
    with open_service(settings, tmp_path / "files", tmp_path / "state") as service:
        yield service


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """The folder in which a file arrives."""
    folder = tmp_path / "files" / "upload"
    folder.mkdir(parents=True)
    return folder


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_network_that_ran_is_there_and_can_be_chosen(service: Service, upload: Path) -> None:
    save_file(random_srvgg(8, 2, 3), upload / "mine.safetensors")
    assert install_network(service, upload / "mine.safetensors") == "mine"
    assert left_in(service.settings.weights_dir) == ["mine.safetensors"]
    assert service.engine.facts().upscalers["mine"].scale == 3
    with pytest.raises(NetworkRefused, match="already"):
        install_network(service, upload / "mine.safetensors")


def without_strides(path: Path, form: Callable[..., Path]) -> None:
    """3 kB that stand for a network of 20,000 features."""
    items = [
        part
        for name, shape in srvgg_shapes(20_000, 2, 2).items()
        for part in (text(name), tensor(numbers(*shape), numbers(*[0] * len(shape))))
    ]
    form(path, mapping(*items))


def of_not_numbers(path: Path) -> None:
    state = {n: np.full(s, np.nan, np.float32) for n, s in srvgg_shapes(8, 1, 2).items()}
    save_file(state, path)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "zip.pth": lambda path: without_strides(path, written_archive),
    "legacy.pth": lambda path: without_strides(path, written_legacy),
    "no-picture.safetensors": of_not_numbers,
    "nothing.pth": Path.touch,
    "auto.safetensors": lambda path: save_file(random_srvgg(8, 2, 3), path),
    ".hidden.safetensors": lambda path: save_file(random_srvgg(8, 2, 3), path),
    "unknown.onnx": lambda path: path.write_bytes(b"?"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_failed_is_told_and_not_kept(
    service: Service, upload: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "photoenhance_ui")
    HOSTILE[name](upload / name)
    with pytest.raises(NetworkRefused, match=r"\.$"):
        install_network(service, upload / name)
    assert left_in(service.settings.weights_dir) == []
    assert set(service.engine.facts().upscalers) == {"builtin"}
    assert name not in caplog.text and str(upload) not in caplog.text


def test_while_it_is_tried_no_start_would_find_it(
    service: Service, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def looks(*_: object) -> None:
        seen.append(left_in(service.settings.weights_dir))

    monkeypatch.setattr("photoenhance_ui.server.manage.problem_of", looks)
    save_file(random_srvgg(8, 2, 3), upload / "mine.safetensors")
    install_network(service, upload / "mine.safetensors")
    assert seen == [[]]
