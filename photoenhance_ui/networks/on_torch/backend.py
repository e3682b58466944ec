"""Torch as a way of computing networks: on a GPU all, on a CPU what nothing else knows."""

from typing import Any

import torch

from photoenhance_ui.catalogue import Role
from photoenhance_ui.networks.interfaces import Forms
from photoenhance_ui.networks.on_torch.detectors import load_detector
from photoenhance_ui.networks.on_torch.forms import forms_of
from photoenhance_ui.networks.on_torch.parsers import load_parser
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.restorers import load_restorer
from photoenhance_ui.networks.on_torch.upscalers import load_upscaler
from photoenhance_ui.weights.inventory import Installed


class TorchBackend:
    """Networks as torch modules on one device."""

    def __init__(self, device: str, *, fuse: bool) -> None:
        """``device``: "cpu", "cuda" or "mps"; with ``fuse`` operations are joined, for speed."""
        self._placement = Placement(torch.device(device), torch.float32, fuse)

    def load(self, found: Installed, companion: Installed | None) -> Forms:
        """The network of a file. Raises ArchitectureUnknown and WeightsDamaged."""
        on_gpu = self._placement.device.type != "cpu"
        return forms_of(found.role, self._exact(found, companion), on_gpu=on_gpu)

    def _exact(self, found: Installed, companion: Installed | None) -> Any:
        match found.role:
            case Role.UPSCALER:
                return load_upscaler(found, companion, self._placement)
            case Role.DETECTOR:
                return load_detector(found, self._placement)
            case Role.RESTORER:
                return load_restorer(found, self._placement)
            case Role.PARSER:
                return load_parser(found, self._placement)

    def stop(self) -> None:
        """Measuring takes moments."""
