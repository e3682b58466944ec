"""What the errors of networks' libraries mean to a person."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from photoenhance_ui.errors import MemoryExhausted, NetworkFailed, PhotoEnhanceError

OUT_OF_MEMORY_WORDS = (
    "out of memory", "DefaultCPUAllocator", "can't allocate memory", "Failed to allocate",
)  # fmt: skip
"""How torch, and in the last words OpenVINO, say it where they raise no class of their own."""


@contextmanager
def errors_told(network: str) -> Iterator[None]:
    """Run a network inside: its foreign errors leave as MemoryExhausted or NetworkFailed."""
    try:
        yield
    except PhotoEnhanceError:
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            raise MemoryExhausted(
                "The machine ran out of memory on this photo. "
                "Try a smaller scale or a smaller --tile-px, and retry."
            ) from error
        raise NetworkFailed(
            f"The network {network} failed on this photo ({type(error).__name__}). "
            "Another upscaler may work; the other photos are not affected."
        ) from error


def _is_out_of_memory(error: Exception) -> bool:
    # Who never imported torch, or not to its end, cannot have its errors.
    of_torch = getattr(sys.modules.get("torch"), "OutOfMemoryError", MemoryError)
    if isinstance(error, (MemoryError, of_torch)):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in OUT_OF_MEMORY_WORDS)
