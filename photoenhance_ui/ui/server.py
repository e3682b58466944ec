"""What one running server holds: engine, batches, downloads, files; nothing of Gradio's."""

import logging
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from photoenhance_ui import __version__
from photoenhance_ui.batch import Batch, Batches
from photoenhance_ui.catalogue import CATALOGUE, default_downloads
from photoenhance_ui.downloads import Downloads
from photoenhance_ui.engine import Engine
from photoenhance_ui.request import PRESETS, Request, preset_options
from photoenhance_ui.settings import Settings
from photoenhance_ui.storage import Workspace, sweep_uploads
from photoenhance_ui.weights import installed

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 600.0


class Server:
    """The page's and the API's way to the engine."""

    def __init__(self, engine: Engine, settings: Settings, files: Path, secret_file: Path) -> None:
        self.engine = engine
        self.settings = settings
        self.batches = Batches()
        self.workspace = Workspace(files / "batches")
        self.secret = _kept_secret(secret_file)
        self.downloads = Downloads(settings.weights_dir, engine.networks_arrived)
        self._files = files
        self._streams: dict[str, set[Batch]] = {}
        self._closed = threading.Event()
        self._janitor = threading.Thread(target=self._sweep, name="janitor", daemon=True)

    def start(self) -> None:
        """Begin what runs in the background: missing downloads, and the removal of old files."""
        self._janitor.start()
        if not self.settings.offline:
            here = installed(self.settings)
            wanted = default_downloads(self.engine.facts().device)
            self.downloads.start([file for file in wanted if file.name not in here])

    def close(self) -> None:
        """End what runs in the background."""
        self._closed.set()
        self.downloads.close()

    def new_batch(self, owner: str, request: Request) -> Batch:
        """A batch with a folder of its own."""
        return Batch(self.engine, owner, request, self.workspace.new_batch(), self.settings)

    @contextmanager
    def stream_of(self, session: str | None, batch: Batch) -> Iterator[None]:
        """Remember that this browser tab or client reads the batch, so that leaving cancels it."""
        streams = self._streams.setdefault(session or "", set())
        streams.add(batch)
        try:
            yield
        finally:
            streams.discard(batch)

    def left(self, session: str | None) -> None:
        """A tab was closed or a client went away: cancel what only it was waiting for."""
        for batch in self._streams.pop(session or "", set()):
            batch.cancel()

    def status(self) -> dict[str, Any]:
        """What runs here and how busy it is."""
        facts = self.engine.facts()
        return {
            "version": __version__,
            "device": facts.device,
            "device_name": facts.device_name,
            "precision": facts.default_precision,
            "upscalers": sorted(facts.upscalers),
            "face_networks": [
                name for name in (facts.finder, facts.restorer, facts.parser) if name is not None
            ],
            "downloads": [
                {
                    "name": state.name,
                    "state": state.phase.value,
                    "done_bytes": state.done_bytes,
                    "total_bytes": state.total_bytes,
                    "reason": state.reason,
                }
                for state in self.downloads.states
            ],
            "queue": {"working": facts.photos_working, "waiting": facts.photos_waiting},
        }

    def models(self) -> dict[str, Any]:
        """The catalogue with what is installed, and the presets."""
        facts = self.engine.facts()
        loaded = {*facts.upscalers, facts.finder, facts.restorer, facts.parser}
        here = set(installed(self.settings))
        known = {file.name for file in CATALOGUE}
        return {
            "models": [
                {
                    "name": file.name,
                    "role": file.role.value,
                    "architecture": file.architecture.value,
                    "purpose": file.purpose,
                    "scale": file.scale,
                    "bytes": file.bytes,
                    "licence": file.licence,
                    "url": file.url,
                    "installed": file.name in here,
                    "at_work": file.name in loaded,
                }
                for file in CATALOGUE
            ],
            "own": sorted(name for name in facts.upscalers if name not in known),
            "presets": {name: preset_options(name, facts.upscalers) for name in PRESETS},
        }

    def _sweep(self) -> None:
        keep = self.settings.keep_hours
        while not self._closed.is_set():
            try:
                self.workspace.sweep(keep)
                sweep_uploads(self._files, keep, spare=self.workspace.root)
                self.batches.forget_ended(lambda batch: batch.shelf.exists())
            except OSError:
                log.exception("sweep_failed")
            self._closed.wait(SWEEP_EVERY_S)


def _kept_secret(path: Path) -> str:
    """A secret that outlives a restart, readable by this user alone; made at the first start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    return path.read_text().strip()


def photos_of(uploads: Iterable[Any], batch: Batch) -> None:
    """Take uploads into a batch, in their order."""
    for upload in uploads:
        batch.add(upload.path, upload.name)
