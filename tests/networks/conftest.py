"""What the tests of the networks share."""

import sys
from collections.abc import Iterator

import pytest


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
