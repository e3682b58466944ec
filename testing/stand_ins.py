"""An engine's networks as stand-ins: for what full-size networks would take minutes to show."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from photoenhance_ui.catalogue import Role
from photoenhance_ui.pipeline.contracts import DetectedFace, Work
from photoenhance_ui.pipeline.plan import Choice, EngineFacts, UpscalerFacts, choose_networks
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.weights.inventory import Installed
from testing.by_hand import StandIns

LARGE = "large"
"""Costs forty times as much as the built-in network, and enlarges twice as much."""


class StandInNetworks:
    """Takes the place of ``Networks``: upscalers repeat pixels, restored faces are inverted."""

    def __init__(
        self, faces: Sequence[DetectedFace] = (), *, tiles_at_once: int = 1, faces_at_once: int = 1
    ) -> None:
        self.faces = faces
        self._at_once = (tiles_at_once, faces_at_once)
        self.hook: Callable[[Work], None] = lambda work: None
        self.work: list[tuple[str, str]] = []
        """Name and precision of each run."""
        self.batches: list[tuple[str, int]] = []
        """Name and number of pictures of each run that gave something."""
        self.prepared: list[tuple[str, bool]] = []
        """Upscalers that were made ready, and whether in their fast form."""
        self.room_made: list[int] = []
        """Runs before each time that memory was to be released."""
        self.stopped = threading.Event()
        """Whether the engine has begun to close."""

    def facts(self) -> EngineFacts:
        return EngineFacts(
            "cpu", "",
            {BUILTIN: UpscalerFacts(2, None, 0.44e6), LARGE: UpscalerFacts(4, None, 17.9e6)},
            "detector", "restorer", "parser",
            tiles_at_once=self._at_once[0], faces_at_once=self._at_once[1],
        )  # fmt: skip

    def release(self) -> None:
        """Nothing is held up: hooks that wait are let go by who set them."""

    def release_memory(self) -> None:
        self.room_made.append(len(self.work))

    def runs_fast(self, upscaler: str, denoise: float) -> bool:
        return upscaler == BUILTIN

    def choose(self, upscaler: str, scale: float) -> Choice:
        return choose_networks(upscaler, scale, self.facts())

    def is_ready(self, choice: Choice, denoise: float, *, fast: bool) -> bool:
        return True

    def prepare(self, choice: Choice, denoise: float, *, fast: bool) -> None:
        self.prepared.append((choice.upscaler, fast))

    def refresh(self, installed: Mapping[str, Installed], *, loads: bool = True) -> None:
        """What there is stays."""

    def confirm(self) -> None:
        """Nothing was assumed."""

    def stop_measuring(self) -> None:
        self.stopped.set()

    def run(self, work: Work, precision: str) -> Any:
        self.work.append((work.network, precision))
        self.hook(work)
        scale = 1 if work.role is not Role.UPSCALER else self.facts().upscalers[work.network].scale
        self.batches.append((work.network, len(work.inputs)))
        return StandIns(scale, self.faces)(work)
