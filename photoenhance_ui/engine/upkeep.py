"""Keeps an engine's networks known and ready, beside the work of its device.

Network files are looked through at the start and when new ones arrive. What photos ask for is
loaded, and its fast forms are calibrated, in threads that take what the device's thread leaves.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from photoenhance_ui.engine.memory import give_back_freed
from photoenhance_ui.engine.photo_steps import DRAFTS, PhotoJob
from photoenhance_ui.errors import EngineStopped
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.pipeline.plan import Choice, EngineFacts, has_face_work, wants_fast
from photoenhance_ui.request import BUILTIN, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.traces import trace_of
from photoenhance_ui.weights.inventory import Inventory, take_stock

log = logging.getLogger(__name__)

MAX_CALIBRATED_AT_ONCE = 2
"""Networks; a second one that is measured in seconds does not wait for one that takes minutes."""
NICENESS = 10
"""Threads that calibrate take what the device's thread leaves of the processors."""


class Upkeep:
    """Knows which network files are here, and makes networks ready. Thread-safe."""

    def __init__(self, networks: Networks, settings: Settings) -> None:
        self._networks = networks
        self._settings = settings
        self._inventory = Inventory()
        self._taking_stock = threading.Lock()
        self._known = threading.Event()
        self._calibrating = ThreadPoolExecutor(
            MAX_CALIBRATED_AT_ONCE, "engine-calibration", _lower_priority
        )
        self._start: threading.Thread | None = None

    # What is here

    def begin(self, *, drafts: bool, wait_until_idle: Callable[[], bool]) -> None:
        """Look for the network files in a thread of its own.

        With ``drafts`` it then makes ready what ``auto`` and drafts take. ``wait_until_idle`` gives
        False where the engine was closed meanwhile.
        """

        def look() -> None:
            self._look()
            if drafts:
                self._make_ready(wait_until_idle)

        self._start = threading.Thread(target=look, name="engine-start", daemon=True)
        self._start.start()

    @property
    def inventory(self) -> Inventory:
        """The network files as they were last looked through."""
        return self._inventory

    @property
    def is_looking(self) -> bool:
        """True until the files were looked through for the first time."""
        return not self._known.is_set()

    def wait_until_known(self) -> None:
        """Return once the files were looked through for the first time."""
        self._known.wait()

    def take_stock(self, *, loads: bool) -> None:
        """Look the files through, and use them; with ``loads`` only once they are loaded."""
        with self._taking_stock:  # else an earlier, shorter list could replace a later one
            inventory = take_stock(self._settings)
            self._networks.refresh(inventory.installed, loads=loads)
            self._inventory = inventory

    def close(self) -> None:
        """Give up what is being calibrated, and end all threads."""
        self._networks.stop_measuring()
        self._calibrating.shutdown(cancel_futures=True)
        if self._start is not None:
            self._start.join()

    # What is ready

    def is_ready(self, job: PhotoJob) -> bool:
        """Whether the photo's networks compute at once."""
        choice, fast = self._needs(job)
        return self._networks.is_ready(choice, job.request.denoise, fast=fast)

    def make_ready(self, job: PhotoJob) -> None:
        """Load and calibrate the photo's networks, for up to minutes. Raises PhotoEnhanceError."""
        choice, fast = self._needs(job)
        self._networks.prepare(choice, job.request.denoise, fast=fast)

    def submit(self, work: Callable[[], None]) -> None:
        """Do some of this work beside the device's."""
        self._calibrating.submit(work)

    def _needs(self, job: PhotoJob) -> tuple[Choice, bool]:
        """The networks that the photo has work for, and whether in their fast forms."""
        needed = _needed(job.choice, job.request)
        return needed, wants_fast(job.request, self._facts())

    def _facts(self) -> EngineFacts:
        return self._networks.facts()

    def _look(self) -> None:
        try:
            self.take_stock(loads=False)
        except Exception as error:  # noqa: BLE001 - without files there is still resampling
            log.error("networks_not_looked_through %s", trace_of(error))
        finally:
            self._known.set()
        give_back_freed()

    def _make_ready(self, wait_until_idle: Callable[[], bool]) -> None:
        """Load and calibrate what photos will ask for, so that the first ones need not wait."""
        request = Request()
        try:
            choice = self._networks.choose(request.upscaler, request.scale)
            fast = wants_fast(request, self._facts())
            self._networks.prepare(choice, request.denoise, fast=fast)
            if {BUILTIN} < set(self._facts().upscalers):  # or there are no drafts
                self._networks.prepare(DRAFTS, request.denoise, fast=True)
            with suppress(RuntimeError):  # the engine was closed meanwhile
                self.submit(lambda: self._confirm(wait_until_idle))
        except EngineStopped:
            return
        except Exception as error:  # noqa: BLE001 - the first photo meets it again
            log.error("networks_not_made_ready %s", trace_of(error))
        give_back_freed()

    def _confirm(self, wait_until_idle: Callable[[], bool]) -> None:
        """Calibrate in passing what came measured with the built-in network, once nobody waits."""
        if not wait_until_idle():
            return
        try:
            self._networks.confirm()
        except EngineStopped:
            return
        except Exception as error:  # noqa: BLE001 - what came with the network stays
            log.error("fast_forms_not_confirmed %s", trace_of(error))
        give_back_freed()


def _needed(choice: Choice, request: Request) -> Choice:
    """The networks of the choice that the request has work for."""
    if has_face_work(request):
        return choice
    return replace(choice, detector=None, restorer=None, parser=None)


def _lower_priority() -> None:
    """Lower the priority of this thread and of those that it starts."""
    if sys.platform == "linux":  # elsewhere it would be that of the whole program
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
