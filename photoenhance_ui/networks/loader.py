"""Files to loaded networks, by whichever of the backends knows them."""

import logging
from collections.abc import Callable, Iterator

from photoenhance_ui.catalogue import logged_name
from photoenhance_ui.errors import (
    ArchitectureUnknown,
    NetworkMissing,
    TorchMissing,
    WeightsError,
)
from photoenhance_ui.networks.devices import has_torch, install_torch
from photoenhance_ui.networks.interfaces import Backend, Forms
from photoenhance_ui.networks.loaded import LoadedNetwork
from photoenhance_ui.networks.once import Once
from photoenhance_ui.networks.stock import Stock
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import Installed

log = logging.getLogger(__name__)

CALIBRATIONS_FOLDER = "proofs"
"""Where calibrations lie in the cache. Earlier versions called the folder so, and what they
measured is still read."""


class Loader:
    """Loads networks by the backends that compute on a device, which are made once. Thread-safe."""

    def __init__(self, device: str, settings: Settings) -> None:
        self._device = device
        self._settings = settings
        self._made: Once[str, Backend] = Once()
        self._stopped = False

    def load(self, name: str, stock: Stock) -> LoadedNetwork:
        """The network of that name. Raises NetworkMissing, TorchMissing and other WeightsErrors."""
        if name not in stock.installed:
            raise NetworkMissing(f"The network {name} is not installed (any more).")
        found = stock.installed[name]
        log.info("network_loads name=%s", logged_name(name))
        return LoadedNetwork(found.role, self._forms(found, stock.companion(name)))

    def stop_measuring(self) -> None:
        """Give up what is being measured: EngineStopped for who waits for it."""
        self._stopped = True
        for backend in self._made.values():
            backend.stop()

    def _forms(self, found: Installed, companion: Installed | None) -> Forms:
        """What the first backend that knows the architecture makes of the file."""
        problem: WeightsError | None = None
        for backend in self._backends():
            try:
                return backend.load(found, companion)
            except ArchitectureUnknown as error:
                if has_torch():
                    problem = error
            except WeightsError as error:
                if found.known is not None:
                    raise
                problem = error  # of a person's own, another backend may know more
        raise problem or TorchMissing(
            f"The network {found.name} is none of those that run without torch, which is not "
            "installed in this environment. "
            f"If torch knows it, {install_torch()} adds what runs it."
        )

    def _backends(self) -> Iterator[Backend]:
        """The backends that compute on the device, fastest first; each is imported when asked."""
        yield self._backend("OpenCV", _opencv)
        if self._device == "cpu":
            yield self._backend("OpenVINO", self._openvino)
        if has_torch():
            yield self._backend("torch", self._torch)

    def _backend(self, name: str, make: Callable[[], Backend]) -> Backend:
        backend = self._made.get(name, make)
        if self._stopped:
            backend.stop()
        return backend

    def _openvino(self) -> Backend:
        from photoenhance_ui.networks.on_openvino.backend import OpenVinoBackend
        from photoenhance_ui.networks.on_openvino.calibration_store import CalibrationStore

        return OpenVinoBackend(CalibrationStore(self._settings.cache_dir / CALIBRATIONS_FOLDER))

    def _torch(self) -> Backend:
        from photoenhance_ui.networks.on_torch.backend import TorchBackend

        return TorchBackend(self._device, fuse=self._settings.fuse)


def _opencv() -> Backend:
    from photoenhance_ui.networks.yunet import OpenCvBackend

    return OpenCvBackend()
