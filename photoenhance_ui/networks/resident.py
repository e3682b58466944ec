"""The resident networks of one device: each loaded once, kept, and called by name."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from photoenhance_ui.catalogue import FINDERS, PARSERS, RESTORERS, Role
from photoenhance_ui.errors import NetworkFailed, NetworkMissing, WeightsError
from photoenhance_ui.geometry import GRID_PX
from photoenhance_ui.networks.interfaces import Upscaler, Work
from photoenhance_ui.networks.on_openvino.compiled import (
    Compiled,
    CompiledParser,
    CompiledRestorer,
    CompiledUpscaler,
)
from photoenhance_ui.networks.on_openvino.loading import (
    compile_finder,
    compile_parser,
    compile_restorer,
)
from photoenhance_ui.networks.on_openvino.proofs import (
    LEAST_BLENDED_DB,
    Proofs,
    crops,
    is_near,
    likeness_db,
    parser_forms,
    parsers_likeness_db,
    restorers_likeness_db,
)
from photoenhance_ui.networks.on_torch.finders import load_finder
from photoenhance_ui.networks.on_torch.parsers import load_parser
from photoenhance_ui.networks.on_torch.placement import (
    FACES_AT_ONCE,
    TILES_AT_ONCE,
    Placement,
    dtype_of,
    errors_told,
    find_device,
    name_of,
)
from photoenhance_ui.networks.on_torch.restorers import load_restorer
from photoenhance_ui.networks.on_torch.upscalers import compile_upscaler, load_upscaler, warm_up
from photoenhance_ui.plan import OVERLAP_PX, EngineFacts, UpscalerFacts, choose_networks
from photoenhance_ui.request import AUTO, RESAMPLE_ONLY, Precision, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights import Installed

log = logging.getLogger(__name__)

SELF_TEST_CROPS = 4


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
        self._proofs = Proofs(settings.cache_dir / "proofs")
        self._proven: dict[tuple[str, float], str | None] = {}
        self._proving: dict[tuple[str, float], threading.Lock] = {}
        self._loading = threading.RLock()  # a fast form is made from the exact one
        self._installed: dict[str, Installed] = {}
        self._facts = self._facts_of({}, {})
        self.refresh(installed)

    def facts(self) -> EngineFacts:
        """What plans are made from; one value, replaced as a whole."""
        return self._facts

    def refresh(self, installed: Mapping[str, Installed]) -> None:
        """Take new files in: load what ``auto`` now wants, then tell of them all at once."""
        usable = dict(installed)
        upscalers = {
            name: found
            for name in list(usable)
            if (found := self._upscaler_facts(name, usable)) is not None
        }
        self._installed = usable
        self._take_companions_in(usable)
        facts = self._facts_of(usable, upscalers)
        while (damaged := self._preload(facts)) is not None:
            del usable[damaged]
            upscalers.pop(damaged, None)
            facts = self._facts_of(usable, upscalers)
        self._facts = facts

    def runs_fast(self, upscaler: str, denoise: float) -> bool:
        """Whether an installed upscaler has a fast form here that is proven."""
        return self.fast_form(upscaler, denoise) is not None

    def fast_form(self, upscaler: str, denoise: float) -> str | None:
        """The fastest form of an installed upscaler that is proven here; None where there is none.

        Measured when it is first asked for, which takes seconds to minutes, and then known.
        """
        exact = self._network(Role.UPSCALER, upscaler, Precision.EXACT.value)
        key = _proven_key(exact, denoise)
        try:
            return self._proven[key]
        except KeyError:
            with self._proving.setdefault(key, threading.Lock()):
                form = self._proven[key] = self._proven.get(key) or self._prove(exact, denoise)
            return form

    def is_measured(self, upscaler: str, denoise: float) -> bool:
        """Whether the fast form is told at once."""
        exact = self._loaded.get(_Key(Role.UPSCALER, upscaler, Precision.EXACT.value))
        return exact is not None and _proven_key(exact, denoise) in self._proven

    def _prove(self, exact: Upscaler, denoise: float) -> str | None:
        if isinstance(exact, CompiledUpscaler):
            return self._proofs.of_upscaler(exact, denoise).form
        if self._device.type == "cpu":  # a person's own: torch gains nothing from 16 bits there
            return None
        fast = self._network(Role.UPSCALER, exact.name, Precision.FAST.value)
        try:
            with errors_told(exact.name):
                mean_db, worst_db = likeness_db(exact, fast, denoise, crops(SELF_TEST_CROPS, 2))
        except NetworkFailed:  # values that are no picture
            return None
        log.info("fast_form_measured name=%s mean_db=%.1f worst_db=%.1f", exact.name, mean_db,
                 worst_db)  # fmt: skip
        return "16 bits" if is_near(mean_db, worst_db) else None

    def run(self, work: Work, precision: str) -> Any:
        """What the named network gives for the inputs; MemoryExhausted or NetworkFailed."""
        network = self._network(work.role, work.network, precision)
        with errors_told(work.network):
            if work.role is Role.UPSCALER:
                return network(work.inputs, work.denoise)
            return network(work.inputs)

    def release_memory(self) -> None:
        """Let go of what compiled networks hold between calls; their next call takes it anew."""
        for network in list(self._loaded.values()):
            if isinstance(network, Compiled):
                network.release_memory()

    def _network(self, role: Role, name: str, precision: str) -> Any:
        """The loaded network, loaded now where it is used for the first time.

        A finder is always exact; those for faces are where they have no proven fast form.
        """
        key = _Key(role, name, Precision.EXACT.value if role is Role.FINDER else precision)
        with self._loading:
            if key not in self._loaded:
                self._loaded[key] = self._load(key, self._installed)
            return self._loaded[key]

    def _load(self, key: _Key, installed: Mapping[str, Installed]) -> Any:
        if key.name not in installed:
            raise NetworkMissing(f"The network {key.name} is not installed (any more).")
        found = installed[key.name]
        if key.role is not Role.UPSCALER and key.precision == Precision.FAST.value:
            exact = self._network(key.role, key.name, Precision.EXACT.value)
            return self._fast_for_faces(key.role, found, exact)
        log.info("network_loads name=%s precision=%s", key.name, key.precision)
        if key.role is Role.UPSCALER:
            return self._load_upscaler(key, found, _companion(found, installed))
        return self._load_for_faces(key.role, found)

    def _load_for_faces(self, role: Role, found: Installed) -> Any:
        compile_it, load_it = {
            Role.FINDER: (compile_finder, load_finder),
            Role.RESTORER: (compile_restorer, load_restorer),
            Role.PARSER: (compile_parser, load_parser),
        }[role]
        if self._device.type == "cpu":
            return compile_it(found)
        return load_it(found, self._placement(torch.float32))

    def _fast_for_faces(self, role: Role, found: Installed, exact: Any) -> Any:
        """The fastest form that is proven here; the exact one where none is."""
        if isinstance(exact, CompiledRestorer):
            return exact.in_form(fast=True) if self._proofs.of_restorer(exact).passed else exact
        if isinstance(exact, CompiledParser):
            proven = self._proofs.of_parser(exact).form
            for form in parser_forms():
                if form.name == proven:
                    return exact.in_form(reduced=form.reduced, fast=form.fast)
            return exact
        return _fast_in_torch(role, found, exact, self._placement(torch.bfloat16))

    def _load_upscaler(self, key: _Key, found: Installed, companion: Installed | None) -> Upscaler:
        if self._device.type == "cpu":
            if key.precision == Precision.FAST.value:
                exact = self._network(Role.UPSCALER, key.name, Precision.EXACT.value)
                assert isinstance(exact, CompiledUpscaler), "others have no fast form on a CPU"
                return exact.in_fast_form(lambda d: self._proofs.of_upscaler(exact, d).quantized)
            compiled = compile_upscaler(found, companion)
            if compiled is not None:
                return compiled
        return load_upscaler(found, companion, self._placement(dtype_of(key.precision)))

    def _placement(self, dtype: torch.dtype) -> Placement:
        return Placement(self._device, dtype, self._settings.fuse)

    def _upscaler_facts(self, name: str, installed: dict[str, Installed]) -> UpscalerFacts | None:
        """What plans need to know of an upscaler; None for other files.

        A person's own must be loaded for it, and is left out where that is impossible.
        """
        known = installed[name].known
        if known is not None:
            if known.role is not Role.UPSCALER or not known.chosen_alone:
                return None
            assert known.scale is not None and known.operations_per_pixel is not None
            return UpscalerFacts(known.scale, None, known.operations_per_pixel)
        key = _Key(Role.UPSCALER, name, Precision.EXACT.value)
        try:
            with self._loading:
                if key not in self._loaded:
                    self._loaded[key] = self._load(key, installed)
                own = self._loaded[key]
                reach_px = -(-(own.receptive_px or OVERLAP_PX) // GRID_PX) * GRID_PX
                overlap_px = min(OVERLAP_PX, reach_px)
                return UpscalerFacts(own.scale, None, own.operations_per_pixel, overlap_px)
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
            if companion is None or network.is_blended:
                continue
            try:
                blended = self._load(replace(key, precision=Precision.EXACT.value), usable)
            except WeightsError as error:
                log.warning("weights_refused name=%s code=%s", companion.name, error.code)
                del usable[companion.name]
            else:
                self._put_in_place(blended)

    def _put_in_place(self, upscaler: Upscaler) -> None:
        """Use it from the next tile on; what was made from or known of another one goes."""
        with self._loading:
            for precision in Precision:
                self._loaded.pop(_Key(Role.UPSCALER, upscaler.name, precision.value), None)
            self._loaded[_Key(Role.UPSCALER, upscaler.name, Precision.EXACT.value)] = upscaler
            for key in [key for key in self._proven if key[0] == upscaler.name]:
                del self._proven[key]

    def _facts_of(
        self, installed: Mapping[str, Installed], upscalers: Mapping[str, UpscalerFacts]
    ) -> EngineFacts:
        device, wanted = self._device, self._settings.precision
        detector = self._settings.face_detector
        return EngineFacts(
            device=device.type,
            device_name=name_of(device),
            upscalers={
                name: replace(facts, companion=_name(_companion(installed[name], installed)))
                for name, facts in upscalers.items()
            },
            finder=_first(FINDERS if detector == AUTO else (detector,), installed),
            restorer=_first(RESTORERS, installed),
            parser=_first(PARSERS, installed),
            default_precision=Precision.FAST.value if wanted == AUTO else wanted,
            tile_px=None if self._settings.tile_px == AUTO else int(self._settings.tile_px),
            max_output_pixels=self._settings.max_output_pixels,
            weights_warnings={
                name: found.warning for name, found in installed.items() if found.warning
            },
            tiles_at_once=TILES_AT_ONCE.get(device.type, 1),
            faces_at_once=FACES_AT_ONCE.get(device.type, 1),
        )

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
                self._make_ready(role, name, facts)
            except (WeightsError, NetworkFailed) as error:
                log.warning("weights_refused name=%s code=%s", name, error.code)
                return name
        return None

    def _make_ready(self, role: Role, name: str, facts: EngineFacts) -> None:
        precision = facts.default_precision
        wants_fast = precision == Precision.FAST.value
        if wants_fast and role is Role.UPSCALER and not self.runs_fast(name, Request.denoise):
            precision = Precision.EXACT.value
        network = self._network(role, name, precision)
        if role is Role.UPSCALER:
            with errors_told(name):
                warm_up(network)


def _fast_in_torch(role: Role, found: Installed, exact: Any, placement: Placement) -> Any:
    """A face network in bfloat16 where it passes its test; GFPGAN's values overflow in float16."""
    try:
        with errors_told(found.name):
            if role is Role.RESTORER:
                restorer = load_restorer(found, placement)
                return restorer if is_near(*restorers_likeness_db(exact, restorer)) else exact
            parser = load_parser(found, placement)
            return parser if parsers_likeness_db(exact, parser) >= LEAST_BLENDED_DB else exact
    except NetworkFailed:  # not every GPU computes in bfloat16
        log.warning("fast_form_failed name=%s", found.name)
        return exact


def _proven_key(upscaler: Upscaler, denoise: float) -> tuple[str, float]:
    return upscaler.name, denoise if upscaler.is_blended else 0.0


def _companion(found: Installed, installed: Mapping[str, Installed]) -> Installed | None:
    if found.known is None or found.known.companion is None:
        return None
    return installed.get(found.known.companion)


def _name(found: Installed | None) -> str | None:
    return None if found is None else found.name


def _first(ranking: tuple[str, ...], installed: Mapping[str, Installed]) -> str | None:
    return next((name for name in ranking if name in installed), None)
