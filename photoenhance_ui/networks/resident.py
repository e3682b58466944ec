"""The resident networks of one device: each loaded once, kept, and called by name."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from photoenhance_ui.catalogue import Role
from photoenhance_ui.errors import NetworkFailed, PhotoEnhanceError, WeightsError
from photoenhance_ui.geometry import GRID_PX
from photoenhance_ui.networks.devices import find_device, name_of
from photoenhance_ui.networks.loaded import LoadedNetwork
from photoenhance_ui.networks.loader import Loader
from photoenhance_ui.networks.once import Once
from photoenhance_ui.networks.stock import Stock, engine_facts
from photoenhance_ui.pipeline.contracts import Upscaler, Work
from photoenhance_ui.pipeline.plan import (
    OVERLAP_PX,
    Choice,
    EngineFacts,
    UpscalerFacts,
    choose_networks,
)
from photoenhance_ui.request import AUTO, RESAMPLE_ONLY, Precision, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import Installed


class Networks:
    """What is installed, and what of it is loaded. Thread-safe."""

    def __init__(self, installed: Mapping[str, Installed], settings: Settings) -> None:
        """``installed`` are the files to begin with; ``refresh`` takes in more later."""
        self._settings = settings
        self._device = find_device(settings.device)
        self._device_name = name_of(self._device)
        self._loader = Loader(self._device, settings)
        self._loaded: Once[str, LoadedNetwork] = Once()
        self._telling = threading.Lock()
        self._stock = Stock()
        self._facts = self._facts_of(self._stock)
        self.refresh(installed)

    def facts(self) -> EngineFacts:
        """What plans are made from: one value, which is replaced as a whole."""
        return self._facts

    # What is installed

    def refresh(self, installed: Mapping[str, Installed], *, loads: bool = True) -> None:
        """Take new files in, and tell of them all at once.

        With ``loads`` what ``auto`` now takes is made ready before, so that no photo waits for
        it; without, who asks ``choose`` for networks waits for just these.
        """
        stock = self._with_companions(self._with_upscalers(Stock(dict(installed))))
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

    def _tell(self, stock: Stock) -> None:
        self._stock, self._facts = stock, self._facts_of(stock)

    def _facts_of(self, stock: Stock) -> EngineFacts:
        return engine_facts(stock, self._device, self._device_name, self._settings)

    def _damaged(
        self, stock: Stock, upscaler: str, scale: float, *, ready: bool
    ) -> tuple[str, PhotoEnhanceError] | None:
        """The first of the networks that ``auto`` would take that fails to load, and its error."""
        facts = self._facts_of(stock)
        fast = facts.default_precision == Precision.FAST.value
        for name in _names(choose_networks(upscaler, scale, facts)):
            if name == upscaler or name not in stock.installed:
                continue
            try:
                network = self._network(name, stock)
                if ready:
                    network.prepare(Request.denoise, fast=fast)
            except (WeightsError, NetworkFailed) as error:
                return self._culprit(name, stock), error
        return None

    def _culprit(self, name: str, stock: Stock) -> str:
        """Which file is at fault where a network does not load: its own, or its companion's."""
        companion = stock.companion(name)
        if companion is None:
            return name
        try:
            self._loader.load(name, stock.alone(name))
        except (WeightsError, NetworkFailed):
            return name
        return companion.name

    def _with_upscalers(self, stock: Stock) -> Stock:
        """The stock with what plans need to know of each upscaler."""
        upscalers: dict[str, UpscalerFacts] = {}
        for name in stock.installed:
            try:
                facts = self._upscaler_facts(name, stock)
            except WeightsError as error:
                stock = stock.without(name, error)
            else:
                upscalers |= {} if facts is None else {name: facts}
        return replace(stock, upscalers=upscalers)

    def _upscaler_facts(self, name: str, stock: Stock) -> UpscalerFacts | None:
        """What plans need to know of an upscaler; None for other files.

        A person's own must be loaded for it. Raises WeightsError where that is impossible.
        """
        known = stock.installed[name].known
        if known is not None:
            if known.role is not Role.UPSCALER or not known.chosen_alone:
                return None
            assert known.scale is not None and known.operations_per_pixel is not None
            return UpscalerFacts(known.scale, None, known.operations_per_pixel)
        own: Upscaler = self._network(name, stock).exact
        reach_px = -(-(own.receptive_px or OVERLAP_PX) // GRID_PX) * GRID_PX
        overlap_px = min(OVERLAP_PX, reach_px)
        return UpscalerFacts(own.scale, None, own.operations_per_pixel, overlap_px)

    def _with_companions(self, stock: Stock) -> Stock:
        """Load anew what was loaded alone and has a companion now; a damaged one is left out.

        The new network takes the old one's place from the next tile on.
        """
        for alone in self._loaded.values():
            name = alone.name
            companion = stock.companion(name) if name in stock.installed else None
            if companion is None or alone.exact.is_blended:
                continue
            try:
                blended = self._loader.load(name, stock)
            except WeightsError as error:
                stock = stock.without(companion.name, error)
            else:
                self._loaded.put(name, blended)
        return stock

    # What is ready

    def runs_fast(self, upscaler: str, denoise: float) -> bool:
        """Whether an installed upscaler has a fast form here that is measured to be near enough."""
        return self.fast_form(upscaler, denoise) is not None

    def fast_form(self, upscaler: str, denoise: float) -> str | None:
        """The fastest form of an installed upscaler that is near enough; None: there is none.

        Measured when it is first asked for, which takes seconds to minutes, and then known.
        """
        return self._network(upscaler).fast_form(denoise)

    def is_ready(self, choice: Choice, denoise: float, *, fast: bool) -> bool:
        """Whether a photo's networks compute at once: loaded, and their fast forms measured."""
        return all(
            name in self._loaded and self._network(name).is_prepared(denoise, fast=fast)
            for name in self._usable(choice)
        )

    def prepare(self, choice: Choice, denoise: float, *, fast: bool) -> None:
        """Load a photo's networks, and measure their fast forms where these are wanted.

        Takes up to minutes, once for each network on a machine. Raises WeightsError and
        NetworkFailed.
        """
        for name in self._usable(choice):
            self._network(name).prepare(denoise, fast=fast)

    def _usable(self, choice: Choice) -> list[str]:
        """The networks of the choice that are here; the plan says what is wrong with the others."""
        stock = self._stock
        is_upscaler = choice.upscaler in stock.upscalers
        usable = choice if is_upscaler else replace(choice, upscaler=RESAMPLE_ONLY)
        return [name for name in _names(usable) if name in stock.installed]

    def confirm(self) -> None:
        """Measure what is assumed of the fast forms in use; one that is not near enough goes."""
        for network in self._loaded.values():
            network.confirm()

    def stop_measuring(self) -> None:
        """Give up what is being measured: EngineStopped for who waits for it."""
        self._loader.stop_measuring()

    # What computes

    def run(self, work: Work, precision: str) -> Any:
        """What the named network gives for the inputs; MemoryExhausted or NetworkFailed."""
        return self._network(work.network).compute(work, precision)

    def release_memory(self) -> None:
        """Let go of what networks hold between calls; their next call takes it anew."""
        for network in self._loaded.values():
            network.release_memory()

    def _network(self, name: str, stock: Stock | None = None) -> LoadedNetwork:
        """The network of that name, loaded now where it is used for the first time."""
        return self._loaded.get(name, lambda: self._loader.load(name, stock or self._stock))


def _names(choice: Choice) -> list[str]:
    names = (choice.upscaler, choice.detector, choice.restorer, choice.parser)
    return [name for name in names if name is not None and name != RESAMPLE_ONLY]
