"""The resident networks of one device: each loaded once, kept, and called by name."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from photoenhance_ui.catalogue import DETECTORS, PARSERS, RESTORERS, Role, logged_name
from photoenhance_ui.contracts import Upscaler, Work
from photoenhance_ui.errors import (
    NetworkFailed,
    NetworkMissing,
    PhotoEnhanceError,
    TorchMissing,
    WeightsError,
)
from photoenhance_ui.geometry import GRID_PX
from photoenhance_ui.networks.devices import find_device, has_torch, install_torch, name_of
from photoenhance_ui.networks.foreign_errors import errors_told
from photoenhance_ui.networks.interfaces import Backend
from photoenhance_ui.networks.once import Once
from photoenhance_ui.plan import OVERLAP_PX, Choice, EngineFacts, UpscalerFacts, choose_networks
from photoenhance_ui.request import AUTO, RESAMPLE_ONLY, Precision, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights import Installed

log = logging.getLogger(__name__)

TILES_AT_ONCE = {"cuda": 4}
FACES_AT_ONCE = {"cuda": 8}
"""Pictures that a device computes in one batch, by its type; 1 elsewhere.

Not measured: no GPU was at hand. Where memory is too short for them, they are computed singly.
"""
WARM_UP_PX = 16


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A network in 32 bits, and what computes it."""

    role: Role
    exact: Any
    backend: Backend


@dataclass(frozen=True)
class _Stock:
    """The files that can be used, what plans know of the upscalers, and why others cannot be."""

    installed: Mapping[str, Installed] = field(default_factory=dict)
    upscalers: Mapping[str, UpscalerFacts] = field(default_factory=dict)
    refused: Mapping[str, PhotoEnhanceError] = field(default_factory=dict)

    def without(self, name: str, error: PhotoEnhanceError) -> "_Stock":
        """The stock without a file that fails to load."""
        log.warning("weights_refused file=%s code=%s", self.installed[name].logged_file, error.code)
        return _Stock(
            {n: found for n, found in self.installed.items() if n != name},
            {n: facts for n, facts in self.upscalers.items() if n != name},
            {**self.refused, name: error},
        )

    def companion(self, name: str) -> Installed | None:
        """The file that a network is used together with, where it is here."""
        known = self.installed[name].known
        return self.installed.get(known.companion or "") if known is not None else None

    def without_companion(self, name: str) -> "_Stock":
        """The stock in which the network is alone."""
        return _Stock({name: self.installed[name]})


class Networks:
    """What is installed, and what of it is loaded. Thread-safe."""

    def __init__(self, installed: Mapping[str, Installed], settings: Settings) -> None:
        """``refresh`` takes in more files later."""
        self._settings = settings
        self._device = find_device(settings.device)
        self._made: Once[str, Backend] = Once()
        self._stopped = False
        self._loaded: Once[str, _Loaded] = Once()
        self._forms: Once[tuple[_Loaded, float], str | None] = Once()
        self._fast: Once[_Loaded, Any] = Once()
        self._prepared: Once[tuple[_Loaded, float, bool], None] = Once()
        self._telling = threading.Lock()
        self._stock = _Stock()
        self._facts = self._facts_of(self._stock)
        self.refresh(installed)

    def facts(self) -> EngineFacts:
        """What plans are made from; one value, replaced as a whole."""
        return self._facts

    # What is installed

    def refresh(self, installed: Mapping[str, Installed], *, loads: bool = True) -> None:
        """Take new files in, and tell of them all at once.

        With ``loads`` what ``auto`` now takes is made ready before, so that no photo waits for
        it; without, who asks ``choose`` for networks waits for just these.
        """
        stock = self._with_companions(self._with_upscalers(_Stock(dict(installed))))
        if loads:
            while (damaged := self._damaged(stock, AUTO, 2.0, ready=True)) is not None:
                stock = stock.without(*damaged)
        with self._telling:
            self._tell(stock)

    def choose(self, upscaler: str, scale: float) -> Choice:
        """The networks for a request: what ``auto`` means, with files that do load.

        They are loaded now where they were not. An upscaler that is named stays, whatever is
        wrong with it: it fails the photos that ask for it.
        """
        while True:
            stock = self._stock
            damaged = self._damaged(stock, upscaler, scale, ready=False)
            if damaged is None:
                return choose_networks(upscaler, scale, self._facts_of(stock))
            with self._telling:
                if self._stock is stock:
                    self._tell(stock.without(*damaged))

    def _tell(self, stock: _Stock) -> None:
        self._stock, self._facts = stock, self._facts_of(stock)

    def _damaged(
        self, stock: _Stock, upscaler: str, scale: float, *, ready: bool
    ) -> tuple[str, PhotoEnhanceError] | None:
        """The first network that ``auto`` would take and that fails, and how it fails."""
        facts = self._facts_of(stock)
        for name in _names(choose_networks(upscaler, scale, facts)):
            if name == upscaler or name not in stock.installed:
                continue
            try:
                loaded = self._of(name, stock)
                if ready:
                    self._prepare(loaded, Request.denoise, fast=_is_fast(facts.default_precision))
            except (WeightsError, NetworkFailed) as error:
                return self._culprit(name, stock), error
        return None

    def _culprit(self, name: str, stock: _Stock) -> str:
        """Which file is at fault where a network does not load: its own, or its companion's."""
        companion = stock.companion(name)
        if companion is None:
            return name
        try:
            self._load(name, stock.without_companion(name))
        except (WeightsError, NetworkFailed):
            return name
        return companion.name

    def _with_upscalers(self, stock: _Stock) -> _Stock:
        upscalers: dict[str, UpscalerFacts] = {}
        for name in stock.installed:
            try:
                facts = self._upscaler_facts(name, stock)
            except WeightsError as error:
                stock = stock.without(name, error)
            else:
                upscalers |= {} if facts is None else {name: facts}
        return replace(stock, upscalers=upscalers)

    def _upscaler_facts(self, name: str, stock: _Stock) -> UpscalerFacts | None:
        """What plans need to know of an upscaler; None for other files.

        A person's own must be loaded for it. Raises WeightsError where that is impossible.
        """
        known = stock.installed[name].known
        if known is not None:
            if known.role is not Role.UPSCALER or not known.chosen_alone:
                return None
            assert known.scale is not None and known.operations_per_pixel is not None
            return UpscalerFacts(known.scale, None, known.operations_per_pixel)
        own: Upscaler = self._of(name, stock).exact
        reach_px = -(-(own.receptive_px or OVERLAP_PX) // GRID_PX) * GRID_PX
        overlap_px = min(OVERLAP_PX, reach_px)
        return UpscalerFacts(own.scale, None, own.operations_per_pixel, overlap_px)

    def _with_companions(self, stock: _Stock) -> _Stock:
        """Load anew what was loaded alone and has a companion now; a damaged one is left out."""
        for alone in self._loaded.values():
            name = alone.exact.name
            companion = stock.companion(name) if name in stock.installed else None
            if companion is None or alone.exact.is_blended:
                continue
            try:
                blended = self._load(name, stock)
            except WeightsError as error:
                stock = stock.without(companion.name, error)
            else:
                self._put_in_place(alone, blended)
        return stock

    def _put_in_place(self, alone: _Loaded, blended: _Loaded) -> None:
        """Use it from the next tile on; what was made from or known of the other one goes."""
        self._loaded.put(blended.exact.name, blended)
        self._forget_forms(alone)

    def _forget_forms(self, of: _Loaded) -> None:
        self._forms.drop(lambda key: key[0] is of)
        self._fast.drop(lambda loaded: loaded is of)
        self._prepared.drop(lambda key: key[0] is of)

    def _facts_of(self, stock: _Stock) -> EngineFacts:
        device, wanted, installed = self._device, self._settings.precision, stock.installed
        detector = self._settings.face_detector
        return EngineFacts(
            device=device,
            device_name=name_of(device),
            upscalers={
                name: replace(facts, companion=_name(stock.companion(name)))
                for name, facts in stock.upscalers.items()
            },
            detector=_first(DETECTORS if detector == AUTO else (detector,), installed),
            restorer=_first(RESTORERS, installed),
            parser=_first(PARSERS, installed),
            default_precision=Precision.FAST.value if wanted == AUTO else wanted,
            tile_px=None if self._settings.tile_px == AUTO else int(self._settings.tile_px),
            max_output_pixels=self._settings.max_output_pixels,
            weights_warnings={
                name: found.warning for name, found in installed.items() if found.warning
            },
            refused=stock.refused,
            tiles_at_once=TILES_AT_ONCE.get(device, 1),
            faces_at_once=FACES_AT_ONCE.get(device, 1),
        )

    # What is ready

    def runs_fast(self, upscaler: str, denoise: float) -> bool:
        """Whether an installed upscaler has a fast form here that is proven."""
        return self.fast_form(upscaler, denoise) is not None

    def fast_form(self, upscaler: str, denoise: float) -> str | None:
        """The fastest form of an installed upscaler that is proven here; None where there is none.

        Measured when it is first asked for, which takes seconds to minutes, and then known.
        """
        return self._form(self._of(upscaler), denoise)

    def is_ready(self, choice: Choice, denoise: float, *, fast: bool) -> bool:
        """Whether a photo's networks compute at once: loaded, and their fast forms measured."""
        return all(
            name in self._loaded and self._is_prepared(name, denoise, fast=fast)
            for name in self._usable(choice)
        )

    def prepare(self, choice: Choice, denoise: float, *, fast: bool) -> None:
        """Load a photo's networks, and measure their fast forms where these are wanted.

        Takes up to minutes, once for each network on a machine. Raises WeightsError and
        NetworkFailed.
        """
        for name in self._usable(choice):
            self._prepare(self._of(name), denoise, fast=fast)

    def _usable(self, choice: Choice) -> list[str]:
        """Of the choice what is here in its role; the plan says what is wrong with the rest."""
        stock = self._stock
        is_upscaler = choice.upscaler in stock.upscalers
        usable = choice if is_upscaler else replace(choice, upscaler=RESAMPLE_ONLY)
        return [name for name in _names(usable) if name in stock.installed]

    def confirm(self) -> None:
        """Measure what is assumed of the fast forms in use; one that is not near enough goes."""
        for loaded in self._loaded.values():
            if not loaded.backend.confirm(loaded.exact):
                log.warning("fast_form_gone name=%s", logged_name(loaded.exact.name))
                self._forget_forms(loaded)

    def stop_measuring(self) -> None:
        """Give up what is being measured: EngineStopped for who waits for it."""
        self._stopped = True
        for backend in self._made.values():
            backend.stop()

    def _is_prepared(self, name: str, denoise: float, *, fast: bool) -> bool:
        loaded = self._of(name)
        return (loaded, _strength(loaded, denoise), fast) in self._prepared

    def _prepare(self, loaded: _Loaded, denoise: float, *, fast: bool) -> None:
        key = (loaded, _strength(loaded, denoise), fast)
        self._prepared.get(key, lambda: self._warm_up(loaded, denoise, fast=fast))

    def _warm_up(self, loaded: _Loaded, denoise: float, *, fast: bool) -> None:
        """Upscalers compute a tiny picture, so that no photo pays for what the first call takes."""
        is_fast = fast and self._form(loaded, denoise) is not None
        network = self._in_fast_form(loaded) if is_fast else loaded.exact
        if loaded.role is Role.UPSCALER:
            with errors_told(loaded.exact.name):
                network(np.zeros((1, WARM_UP_PX, WARM_UP_PX, 3), np.uint8), denoise)

    def _form(self, loaded: _Loaded, denoise: float) -> str | None:
        key = (loaded, _strength(loaded, denoise))
        return self._forms.get(key, lambda: loaded.backend.fast_form(loaded.exact, denoise))

    # What computes

    def run(self, work: Work, precision: str) -> Any:
        """What the named network gives for the inputs; MemoryExhausted or NetworkFailed."""
        loaded = self._of(work.network)
        network = self._fastest(loaded) if _is_fast(precision) else loaded.exact
        with errors_told(work.network):
            if loaded.role is Role.UPSCALER:
                return network(work.inputs, work.denoise)
            return network(work.inputs)

    def release_memory(self) -> None:
        """Let go of what networks hold between calls; their next call takes it anew."""
        for loaded in self._loaded.values():
            loaded.backend.release_memory(loaded.exact)
            if loaded in self._fast:
                loaded.backend.release_memory(self._in_fast_form(loaded))

    def _fastest(self, loaded: _Loaded) -> Any:
        """Face networks stay exact where no fast form is proven; of upscalers, plans know it."""
        if loaded.role is not Role.UPSCALER and self._form(loaded, Request.denoise) is None:
            return loaded.exact
        return self._in_fast_form(loaded)

    def _in_fast_form(self, loaded: _Loaded) -> Any:
        return self._fast.get(loaded, lambda: loaded.backend.in_fast_form(loaded.exact))

    def _of(self, name: str, stock: _Stock | None = None) -> _Loaded:
        """The network of that name, loaded now where it is used for the first time."""
        return self._loaded.get(name, lambda: self._load(name, stock or self._stock))

    def _load(self, name: str, stock: _Stock) -> _Loaded:
        if name not in stock.installed:
            raise NetworkMissing(f"The network {name} is not installed (any more).")
        found = stock.installed[name]
        log.info("network_loads name=%s", logged_name(name))
        problem: WeightsError | None = None
        for backend in self._backends():
            try:
                network = backend.load(found, stock.companion(name))
            except WeightsError as error:
                if found.known is not None:
                    raise
                problem = error  # of a person's own, another backend may know more
            else:
                if network is not None:
                    return _Loaded(found.role, network, backend)
        raise problem or TorchMissing(
            f"The network {name} is none of those that run without torch, which is not installed "
            f"in this environment. If torch knows it, {install_torch()} adds what runs it."
        )

    def _backends(self) -> Iterator[Backend]:
        """Those that compute on the device, the fastest first; imported when they are asked."""
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
        from photoenhance_ui.networks.on_openvino.proofs import Proofs

        return OpenVinoBackend(Proofs(self._settings.cache_dir / "proofs"))

    def _torch(self) -> Backend:
        from photoenhance_ui.networks.on_torch.backend import TorchBackend

        return TorchBackend(self._device, fuse=self._settings.fuse)


def _opencv() -> Backend:
    from photoenhance_ui.networks.yunet import OpenCvBackend

    return OpenCvBackend()


def _strength(loaded: _Loaded, denoise: float) -> float:
    """The strength of denoising that makes a difference to the network."""
    is_blended = loaded.role is Role.UPSCALER and loaded.exact.is_blended
    return denoise if is_blended else 0.0


def _names(choice: Choice) -> list[str]:
    names = (choice.upscaler, choice.detector, choice.restorer, choice.parser)
    return [name for name in names if name is not None and name != RESAMPLE_ONLY]


def _is_fast(precision: str) -> bool:
    return precision == Precision.FAST.value


def _name(found: Installed | None) -> str | None:
    return None if found is None else found.name


def _first(ranking: tuple[str, ...], installed: Mapping[str, Installed]) -> str | None:
    return next((name for name in ranking if name in installed), None)
