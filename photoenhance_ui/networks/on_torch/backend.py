"""Torch as a way of computing networks: on a GPU all, on a CPU what nothing else knows."""

import logging
from typing import Any

import torch

from photoenhance_ui.catalogue import Role, logged_name
from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.networks.foreign_errors import errors_told
from photoenhance_ui.networks.likeness import (
    LEAST_BLENDED_DB,
    crops,
    is_near,
    likeness_db,
    parsers_likeness_db,
    restorers_likeness_db,
)
from photoenhance_ui.networks.on_torch.detectors import load_detector
from photoenhance_ui.networks.on_torch.parsers import TorchParser, load_parser
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.restorers import TorchRestorer, load_restorer
from photoenhance_ui.networks.on_torch.upscalers import TorchUpscaler, load_upscaler
from photoenhance_ui.weights import Installed

log = logging.getLogger(__name__)

SELF_TEST_CROPS = 4


class TorchBackend:
    """Networks as torch modules on one device."""

    def __init__(self, device: str, *, fuse: bool) -> None:
        """``device``: "cpu", "cuda" or "mps"; with ``fuse`` operations are joined, for speed."""
        self._exact = Placement(torch.device(device), torch.float32, fuse)

    def load(self, found: Installed, companion: Installed | None) -> Any:
        """The network of a file in 32 bits. Raises WeightsDamaged."""
        match found.role:
            case Role.UPSCALER:
                return load_upscaler(found, companion, self._exact)
            case Role.DETECTOR:
                return load_detector(found, self._exact)
            case Role.RESTORER:
                return load_restorer(found, self._exact)
            case Role.PARSER:
                return load_parser(found, self._exact)

    def fast_form(self, exact: Any, denoise: float) -> str | None:
        """In 16 bits on a GPU, where that is near enough; torch gains nothing by them on a CPU."""
        if self._exact.device.type == "cpu":
            return None
        try:
            with errors_told(exact.name):
                return "16 bits" if _is_near(exact, self.in_fast_form(exact), denoise) else None
        except NetworkFailed:  # values that are no picture; not every GPU computes in bfloat16
            log.warning("fast_form_failed name=%s", logged_name(exact.name))
            return None

    def in_fast_form(self, exact: Any) -> Any:
        """In 16 bits: float16, but for face networks, whose values overflow there, bfloat16."""
        match exact:
            case TorchUpscaler():
                return exact.in_type(torch.float16)
            case TorchRestorer() | TorchParser():
                return exact.in_type(torch.bfloat16)
            case _:
                return exact

    def confirm(self, exact: Any) -> bool:  # noqa: ARG002 - Backend
        """Nothing was assumed."""
        return True

    def stop(self) -> None:
        """Measuring takes moments."""

    def release_memory(self, network: Any) -> None:
        """Torch keeps nothing between calls that it would not use again."""


def _is_near(exact: Any, fast: Any, denoise: float) -> bool:
    match exact:
        case TorchUpscaler():
            return is_near(*likeness_db(exact, fast, denoise, crops(SELF_TEST_CROPS, 2)))
        case TorchRestorer():
            return is_near(*restorers_likeness_db(exact, fast))
        case TorchParser():
            return parsers_likeness_db(exact, fast) >= LEAST_BLENDED_DB
        case _:  # detectors stay exact
            return False
