"""The resident networks of one device: each loaded once, kept, and called by name."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from photoenhance_ui.catalogue import FINDERS, PARSERS, RESTORERS, Role
from photoenhance_ui.errors import NetworkFailed, NetworkMissing, WeightsError
from photoenhance_ui.networks.device import (
    Placement,
    dtype_of,
    errors_told,
    find_device,
    name_of,
    precisions_of,
)
from photoenhance_ui.networks.finders import load_finder
from photoenhance_ui.networks.interfaces import Work
from photoenhance_ui.networks.parsers import load_parser
from photoenhance_ui.networks.restorers import load_restorer
from photoenhance_ui.networks.upscalers import BlendedUpscaler, load_upscaler, warm_up
from photoenhance_ui.plan import EngineFacts, UpscalerFacts, choose_networks
from photoenhance_ui.request import AUTO, RESAMPLE_ONLY, Precision
from photoenhance_ui.settings import TILE_LADDER_PX, Settings
from photoenhance_ui.weights import Installed

log = logging.getLogger(__name__)

CPU_TILE_PX = 256  # small steps of progress, and a cancel that is soon felt


@dataclass(frozen=True)
class _Key:
    role: Role
    name: str
    precision: str


class Networks:
    """What is installed, and what of it is loaded. Thread-safe."""

    def __init__(self, installed: Mapping[str, Installed], settings: Settings) -> None:
        self._settings = settings
        self._device = find_device(settings.device)
        self._loaded: dict[_Key, Any] = {}
        self._loading = threading.Lock()
        self._installed: dict[str, Installed] = {}
        self._facts = self._facts_of({}, {})
        self.refresh(installed)

    def facts(self) -> EngineFacts:
        """What plans are made from; one value, replaced as a whole."""
        return self._facts

    def refresh(self, installed: Mapping[str, Installed]) -> None:
        """Take new files in: load what ``auto`` now wants, then tell of them all at once."""
        usable = dict(installed)
        scales = {name: s for name in list(usable) if (s := self._scale(name, usable)) is not None}
        self._installed = usable
        self._take_companions_in(usable)
        facts = self._facts_of(usable, scales)
        while (damaged := self._preload(facts)) is not None:
            del usable[damaged]
            scales.pop(damaged, None)
            facts = self._facts_of(usable, scales)
        self._facts = facts

    def run(self, work: Work, precision: str) -> Any:
        """What the named network gives for the inputs; MemoryExhausted or NetworkFailed."""
        network = self._network(work.role, work.network, precision)
        with errors_told(work.network):
            if work.role is Role.UPSCALER:
                return network(work.inputs, work.denoise)
            return network(work.inputs)

    def _network(self, role: Role, name: str, precision: str) -> Any:
        """The loaded network, loaded now where it is used for the first time."""
        # Face networks stay in 32-bit: GFPGAN gives black faces in 16-bit.
        key = _Key(role, name, precision if role is Role.UPSCALER else Precision.EXACT.value)
        with self._loading:
            if key not in self._loaded:
                self._loaded[key] = self._load(key, self._installed)
            return self._loaded[key]

    def _load(self, key: _Key, installed: Mapping[str, Installed]) -> Any:
        if key.name not in installed:
            raise NetworkMissing(f"The network {key.name} is not installed (any more).")
        found = installed[key.name]
        log.info("network_loads name=%s precision=%s", key.name, key.precision)
        placement = Placement(self._device, dtype_of(key.precision))
        if key.role is Role.UPSCALER:
            return load_upscaler(found, _companion(found, installed), placement)
        exact = Placement(self._device, torch.float32)
        load = {Role.FINDER: load_finder, Role.RESTORER: load_restorer, Role.PARSER: load_parser}
        return load[key.role](found, exact)

    def _scale(self, name: str, installed: dict[str, Installed]) -> int | None:
        """The factor of an upscaler; None for other files. A person's own must be loaded first."""
        known = installed[name].known
        if known is not None:
            is_choice = known.role is Role.UPSCALER and known.chosen_alone
            return known.scale if is_choice else None
        key = _Key(Role.UPSCALER, name, Precision.EXACT.value)
        try:
            with self._loading:
                if key not in self._loaded:
                    self._loaded[key] = self._load(key, installed)
                return int(self._loaded[key].scale)
        except WeightsError as error:
            log.warning("weights_refused file=%s code=%s", installed[name].path.name, error.code)
            del installed[name]
            return None

    def _take_companions_in(self, usable: dict[str, Installed]) -> None:
        """Load anew what was loaded alone and has a companion now; a damaged one is left out."""
        with self._loading:
            loaded = list(self._loaded.items())
        for key, network in loaded:
            found = usable.get(key.name)
            companion = None if found is None else _companion(found, usable)
            if companion is None or isinstance(network, BlendedUpscaler):
                continue
            try:
                blended = self._load(key, usable)
            except WeightsError as error:
                log.warning("weights_refused name=%s code=%s", companion.name, error.code)
                del usable[companion.name]
            else:
                with self._loading:
                    self._loaded[key] = blended

    def _facts_of(
        self, installed: Mapping[str, Installed], scales: Mapping[str, int]
    ) -> EngineFacts:
        device, wanted = self._device, self._settings.precision
        detector = self._settings.face_detector
        precisions = precisions_of(device)
        return EngineFacts(
            device=device.type,
            device_name=name_of(device),
            upscalers={
                name: UpscalerFacts(scale, _name(_companion(installed[name], installed)))
                for name, scale in scales.items()
            },
            finder=_first(FINDERS if detector == AUTO else (detector,), installed),
            restorer=_first(RESTORERS, installed),
            parser=_first(PARSERS, installed),
            precisions=precisions,
            default_precision=wanted if wanted in precisions else Precision.EXACT.value,
            tile_px=self._tile_px(),
            max_output_pixels=self._settings.max_output_pixels,
            weights_warnings={
                name: found.warning for name, found in installed.items() if found.warning
            },
        )

    def _tile_px(self) -> int:
        if self._settings.tile_px != AUTO:
            return int(self._settings.tile_px)
        return CPU_TILE_PX if self._device.type == "cpu" else TILE_LADDER_PX[0]

    def _preload(self, facts: EngineFacts) -> str | None:
        """Load what ``auto`` takes, so that no photo waits for it; gives a file that is damaged."""
        choice = choose_networks(AUTO, 2.0, facts)
        wanted = (
            (Role.UPSCALER, choice.upscaler),
            (Role.FINDER, choice.finder),
            (Role.RESTORER, choice.restorer),
            (Role.PARSER, choice.parser),
        )
        for role, name in wanted:
            if name is None or name == RESAMPLE_ONLY:
                continue
            try:
                network = self._network(role, name, facts.default_precision)
                if role is Role.UPSCALER:
                    warm_up(network)
            except (WeightsError, NetworkFailed) as error:
                log.warning("weights_refused name=%s code=%s", name, error.code)
                return name
        return None


def _companion(found: Installed, installed: Mapping[str, Installed]) -> Installed | None:
    if found.known is None or found.known.companion is None:
        return None
    return installed.get(found.known.companion)


def _name(found: Installed | None) -> str | None:
    return None if found is None else found.name


def _first(ranking: tuple[str, ...], installed: Mapping[str, Installed]) -> str | None:
    return next((name for name in ranking if name in installed), None)
