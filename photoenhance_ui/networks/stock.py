"""Which files of networks can be used, and what plans have to know of them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from photoenhance_ui.catalogue import DETECTORS, PARSERS, RESTORERS
from photoenhance_ui.errors import PhotoEnhanceError
from photoenhance_ui.pipeline.plan import EngineFacts, UpscalerFacts
from photoenhance_ui.request import AUTO, Precision
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import Installed

log = logging.getLogger(__name__)

TILES_AT_ONCE = {"cuda": 4}
FACES_AT_ONCE = {"cuda": 8}
"""Pictures that a device computes in one batch, by its type; 1 elsewhere.

Not measured: no GPU was at hand. Where memory is too short for them, they are computed singly.
"""


@dataclass(frozen=True)
class Stock:
    """The files that can be used, what plans know of the upscalers, and why others cannot be."""

    installed: Mapping[str, Installed] = field(default_factory=dict)
    upscalers: Mapping[str, UpscalerFacts] = field(default_factory=dict)
    refused: Mapping[str, PhotoEnhanceError] = field(default_factory=dict)

    def without(self, name: str, error: PhotoEnhanceError) -> "Stock":
        """The stock without a file that fails to load."""
        log.warning("weights_refused file=%s code=%s", self.installed[name].logged_file, error.code)
        return Stock(
            {n: found for n, found in self.installed.items() if n != name},
            {n: facts for n, facts in self.upscalers.items() if n != name},
            {**self.refused, name: error},
        )

    def companion(self, name: str) -> Installed | None:
        """The file that a network is used together with, where it is here."""
        known = self.installed[name].known
        return self.installed.get(known.companion or "") if known is not None else None

    def alone(self, name: str) -> "Stock":
        """The stock in which a network has no companion."""
        return Stock({name: self.installed[name]})


def engine_facts(stock: Stock, device: str, device_name: str, settings: Settings) -> EngineFacts:
    """What plans are made from: what there is, and what the settings say of it."""
    detector, precision = settings.face_detector, settings.precision
    return EngineFacts(
        device=device,
        device_name=device_name,
        upscalers={
            name: replace(facts, companion=_name(stock.companion(name)))
            for name, facts in stock.upscalers.items()
        },
        detector=_first(DETECTORS if detector == AUTO else (detector,), stock),
        restorer=_first(RESTORERS, stock),
        parser=_first(PARSERS, stock),
        default_precision=Precision.FAST.value if precision == AUTO else precision,
        tile_px=None if settings.tile_px == AUTO else int(settings.tile_px),
        max_output_pixels=settings.max_output_pixels,
        weights_warnings={
            name: found.warning for name, found in stock.installed.items() if found.warning
        },
        refused=stock.refused,
        tiles_at_once=TILES_AT_ONCE.get(device, 1),
        faces_at_once=FACES_AT_ONCE.get(device, 1),
    )


def _name(found: Installed | None) -> str | None:
    return None if found is None else found.name


def _first(ranking: tuple[str, ...], stock: Stock) -> str | None:
    return next((name for name in ranking if name in stock.installed), None)
