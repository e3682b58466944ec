"""The real resident networks, with a place to look in, to make trouble and to hold them up."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import Installed


class HookedNetworks(Networks):
    """Runs what it is asked to, and calls ``hook(work)`` before.

    ``hold()`` makes the next runs wait until ``release()``; ``runs`` counts those that began,
    ``most_at_once`` the largest number that ran at the same time.
    """

    def __init__(self, installed: Mapping[str, Installed], settings: Settings) -> None:
        super().__init__(installed, settings)
        self.hook: Callable[[Work], None] = lambda work: None
        self.runs = 0
        self.most_at_once = 0
        self._at_once = 0
        self._counting = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self.began = threading.Semaphore(0)

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def run(self, work: Work, precision: str) -> Any:
        with self._counting:
            self.runs += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.began.release()
            assert self._open.wait(timeout=60), "nobody released the networks"
            self.hook(work)
            return super().run(work, precision)
        finally:
            with self._counting:
                self._at_once -= 1
