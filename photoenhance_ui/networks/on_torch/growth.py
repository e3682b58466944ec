"""A bound on what is built from the weights of a file that nobody vouches for.

An architecture tells its sizes from names and shapes of weights, so that one weight that is called
``layers.999999.bias`` makes a million layers.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch.nn.modules import module as hooks

GROWTH = 4  # parts of a network may be made twice, and weights be held apart from their norms
MORE_NUMBERS = 1 << 24  # tables that are made and not kept in files
MAX_MODULES = 20_000  # the deepest published upscalers have a tenth of it
MAX_CHANNELS = 4096  # of a convolution


class TooLarge(Exception):
    """The network is larger than its file can be the reason for."""


@contextmanager
def no_larger_than(numbers: int) -> Iterator[None]:
    """Build a network inside, in this thread: TooLarge as soon as it outgrows a file of so many.

    Parameters are counted when they have a size and before they are filled, which is when they
    begin to take memory.
    """
    thread, left = threading.get_ident(), [GROWTH * numbers + MORE_NUMBERS, MAX_MODULES]

    def count(_module: torch.nn.Module, _name: str, part: object) -> None:
        if threading.get_ident() != thread:
            return
        if isinstance(part, torch.Tensor):
            left[0] -= part.numel()
            if part.ndim == 4 and max(part.shape[:2]) > MAX_CHANNELS:
                raise TooLarge
        else:
            left[1] -= 1
        if min(left) < 0:
            raise TooLarge

    with ExitStack() as registered:
        for register in (
            hooks.register_module_parameter_registration_hook,
            hooks.register_module_buffer_registration_hook,
            hooks.register_module_module_registration_hook,
        ):
            registered.callback(register(count).remove)
        yield
