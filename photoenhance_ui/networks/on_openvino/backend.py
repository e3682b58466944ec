"""OpenVINO as a way of computing networks: on a CPU all that are known, each in several forms."""

from photoenhance_ui.catalogue import Role
from photoenhance_ui.networks.interfaces import ExactOnly, Forms
from photoenhance_ui.networks.on_openvino.calibration_store import CalibrationStore
from photoenhance_ui.networks.on_openvino.forms import ParserForms, RestorerForms, UpscalerForms
from photoenhance_ui.networks.on_openvino.loading import (
    load_detector,
    load_parser,
    load_restorer,
    load_upscaler,
)
from photoenhance_ui.networks.on_openvino.whole_sums import largest_weight
from photoenhance_ui.weights.inventory import Installed


class OpenVinoBackend:
    """Networks as compiled graphs on the CPU."""

    def __init__(self, calibrations: CalibrationStore) -> None:
        self._calibrations = calibrations
        # Whoever computes first starts OpenVINO's threads, which take that one's urgency and keep
        # it: not one that measures beside others' photos, but whoever is the first to load.
        largest_weight()

    def load(self, found: Installed, companion: Installed | None) -> Forms:
        """The network of a file. Raises ArchitectureUnknown and WeightsDamaged."""
        match found.role:
            case Role.UPSCALER:
                return UpscalerForms(load_upscaler(found, companion), self._calibrations)
            case Role.DETECTOR:
                detector = load_detector(found)
                return ExactOnly(detector, detector.release_memory)
            case Role.RESTORER:
                return RestorerForms(load_restorer(found), self._calibrations)
            case Role.PARSER:
                return ParserForms(load_parser(found), self._calibrations)

    def stop(self) -> None:
        """Give up what is being measured."""
        self._calibrations.stop()
