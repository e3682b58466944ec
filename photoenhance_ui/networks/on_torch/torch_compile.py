"""A network in torch whose operations are joined into fewer, by torch.compile."""

import logging
from typing import Any

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

MAX_DISTANCE = 0.01
"""How far values may be from the plain network's, as a share of their norm: nearer than 40 dB."""


class TorchCompiled(nn.Module):
    """Gives what ``plain`` gives, in less time from the second picture on.

    Joining happens at the first call and takes about a minute. It is made for pictures of any
    size at once, because photos come in all sizes. Where it fails, for want of a compiler or
    whatever else, or gives something else, the plain network is used from then on.
    """

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain
        self._joined: Any = torch.compile(plain, dynamic=True)
        self._is_tested = False

    def forward(self, *args: Any, **options: Any) -> Any:
        """What the network gives; errors are those of the plain one."""
        if self._joined is None:
            return self.plain(*args, **options)
        try:
            output = self._joined(*args, **options)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the compiler's are of many kinds
            return self._plain_from_now_on(type(error).__name__, args, options)
        if not self._is_tested:
            expected = self.plain(*args, **options)
            if not _are_near(_first(output), _first(expected)):
                return self._plain_from_now_on("it gave something else", args, options)
            self._is_tested = True
        return output

    def _plain_from_now_on(self, reason: str, args: Any, options: Any) -> Any:
        log.warning("network_not_fused network=%s reason=%s", type(self.plain).__name__, reason)
        self._joined = None
        return self.plain(*args, **options)


def _first(output: Any) -> Tensor:
    """The picture, where a network gives more beside it as face networks do."""
    first: Tensor = output[0] if isinstance(output, tuple | list) else output
    return first


def _are_near(one: Tensor, other: Tensor) -> bool:
    apart, whole = (one.float() - other.float()).norm(), other.float().norm()
    return bool(apart <= MAX_DISTANCE * whole)
