"""Where networks run: told without torch where there is no GPU, and never replaced unasked."""

import importlib.util
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.networks import devices
from photoenhance_ui.networks.devices import (
    cores,
    find_device,
    has_torch,
    install_torch,
    may_have_gpu,
    name_of,
)

PROGRAM = """
import sys
from pathlib import Path
from photoenhance_ui.networks import devices

devices.AMD_DRIVER, devices.NVIDIA_LIBRARIES = Path("nowhere"), {}
devices.sys.platform = "linux"
devices.has_torch()
print(devices.find_device("auto"), devices.name_of("cpu"), "torch" in sys.modules)
"""


@pytest.fixture
def no_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither driver of a GPU is there."""
    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr(devices, "AMD_DRIVER", Path("nowhere"))
    monkeypatch.setattr(devices, "NVIDIA_LIBRARIES", {"linux": ("libnowhere.so.1",)})


@pytest.fixture
def amd_driver(no_signs: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The driver of an AMD GPU is there."""
    monkeypatch.setattr(devices, "AMD_DRIVER", tmp_path)


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_torch", lambda: False)


def test_without_signs_of_a_gpu_torch_is_not_imported() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=120
    )
    assert ended.stdout == f"cpu {name_of('cpu')} False\n"


def test_a_cpu_is_always_there(no_torch: None) -> None:
    assert find_device("cpu") == "cpu"


@pytest.mark.usefixtures("no_signs")
def test_auto_is_the_cpu_where_nothing_tells_of_a_gpu() -> None:
    assert not may_have_gpu()
    assert find_device("auto") == "cpu"


@pytest.mark.usefixtures("amd_driver")
def test_auto_takes_the_fastest_device_that_torch_can_use() -> None:
    torch = pytest.importorskip("torch")
    best = "cuda" if torch.cuda.is_available() else "cpu"
    best = "mps" if torch.backends.mps.is_available() else best
    assert may_have_gpu()
    assert find_device("auto") == best


@pytest.mark.usefixtures("amd_driver", "no_torch")
def test_auto_is_the_cpu_without_torch_and_the_log_tells_what_would_use_the_gpu(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert find_device("auto") == "cpu"
    assert install_torch() in caplog.text


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_gpu_that_is_asked_for_without_torch_is_refused_with_the_command_that_adds_it(
    wanted: str, no_torch: None
) -> None:
    with pytest.raises(InvalidSetting, match=install_torch()) as caught:
        find_device(wanted)
    assert wanted in caught.value.sentence


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_device_that_is_asked_for_is_taken_or_refused_but_never_replaced(wanted: str) -> None:
    torch = pytest.importorskip("torch")
    backend = torch.cuda if wanted == "cuda" else torch.backends.mps
    if backend.is_available():
        assert find_device(wanted) == wanted
        return
    with pytest.raises(InvalidSetting, match=f"no {wanted} device"):
        find_device(wanted)


@pytest.mark.usefixtures("no_signs")
@pytest.mark.parametrize(("machine", "expected"), [("arm64", True), ("x86_64", False)])
def test_a_mac_has_a_gpu_that_torch_knows_where_its_processor_is_apples(
    machine: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices.sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert may_have_gpu() is expected


def test_a_person_reads_what_the_device_is() -> None:
    assert name_of("cpu") == f"CPU ({cores()} threads)"
    assert name_of("mps") == "Apple GPU"
    assert cores() >= 1


@pytest.mark.parametrize("missing", ["torch", "spandrel", "facexlib"])
def test_torch_counts_only_with_the_packages_that_know_its_networks(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = object()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: there)
    assert has_torch()
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else there
    )
    assert not has_torch()
