"""What the tests of the networks share."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def cards_packages() -> None:
    """basicsr, realesrgan and gfpgan can be imported, or the test is skipped."""
    pytest.importorskip("torch")
    from photoenhance_ui.networks.on_torch.basicsr_repair import repair

    repair()
    for package in ("basicsr", "realesrgan", "gfpgan"):
        pytest.importorskip(package, reason="cannot be installed from Python 3.13 on")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """On small pictures and thin layers, or beside another program, two threads mostly wait."""
    torch = sys.modules.get("torch")  # without it there is nothing to hold back
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
