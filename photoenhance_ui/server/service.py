"""What the page and the API share: one engine, one workspace, everybody's current batch."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.current import CurrentBatches
from photoenhance_ui.batches.face_layers import FaceLayers
from photoenhance_ui.batches.journal import Journals, Record
from photoenhance_ui.batches.storage import BatchFolder, Workspace, sweep_uploads
from photoenhance_ui.engine.engine import open_engine
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.request import Request
from photoenhance_ui.server.bounds import Bounds
from photoenhance_ui.server.owners import Owners
from photoenhance_ui.server.reports import models_report, status_report
from photoenhance_ui.server.streams import Streams
from photoenhance_ui.settings import Settings
from photoenhance_ui.traces import trace_of
from photoenhance_ui.weights import inventory
from photoenhance_ui.weights.downloads import Downloads

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 600.0


@dataclass(eq=False)
class Service:
    """The running server's parts, without Gradio."""

    settings: Settings
    engine: Engine
    workspace: Workspace
    examples: Path
    """The folder of the example photos."""
    owners: Owners
    downloads: Downloads
    journals: Journals
    bounds: Bounds
    batches: CurrentBatches = field(default_factory=CurrentBatches)
    streams: Streams = field(default_factory=Streams)

    def person(self, user: str | None) -> str | None:
        """The person who logged in; None where one password is everybody's."""
        return user if self.settings.users else None

    def caller(self, user: str | None, address: str | None) -> str:
        """Who shares the device as one where a script calls; no photos are found by it."""
        person = self.person(user)
        return f"user:{person}" if person else f"address:{address or 'unknown'}"

    def new_batch(self, owner: str, request: Request) -> Batch:
        """A batch with an unguessable folder of its own."""
        files = self.workspace.new_batch()
        return Batch(self.engine, owner, request, files, self.settings)

    def open_batch(self, owner: str, request: Request, photos: int = 1) -> Batch:
        """The owner's batch that takes so many photos with this request, else a new one."""

        def begin() -> Batch:
            return self._page_batch(owner, request, self.workspace.new_batch())

        return self.batches.open_for(owner, request, begin, photos)

    def restore(self) -> None:
        """Give the page's owners back what an earlier server left to them."""
        self.batches.restore(
            self._restored(files, record) for files, record in self.journals.left_in(self.workspace)
        )

    def _restored(self, files: BatchFolder, record: Record) -> Batch:
        batch = self._page_batch(record.owner, record.request, files)
        batch.restore(record, files.taken)
        return batch

    def _page_batch(self, owner: str, request: Request, files: BatchFolder) -> Batch:
        """A batch with drafts, with faces that can be blended anew, which outlives the program."""
        return Batch(
            self.engine, owner, request, files, self.settings,
            drafts=True, layers=FaceLayers(files.folder / "kept"), journal=self.journals.of(files),
        )  # fmt: skip

    def status(self) -> dict[str, object]:
        """What ``/status`` answers."""
        return status_report(self.engine.facts(), self.engine.queue(), self.downloads.states)

    def models(self) -> dict[str, object]:
        """What ``/models`` answers."""
        return models_report(self.engine.inventory(), self.engine.facts())


def files_of(batch: Batch) -> BatchFolder:
    """The files of a batch of this server."""
    assert isinstance(batch.files, BatchFolder), "a server's batches have folders of their own"
    return batch.files


def folder_of(batch: Batch) -> Path:
    """Where the files of a batch of this server lie."""
    return files_of(batch).folder


@contextmanager
def open_service(
    settings: Settings, files: Path, state: Path, *, networks: Networks | None = None
) -> Iterator[Service]:
    """Serve until the block ends; networks are looked for and loaded meanwhile.

    ``files`` is Gradio's folder, from which whoever knows a path may fetch it; what must stay
    secret lies in ``state``. ``networks`` computes in the place of the settings' own.
    """
    with open_engine(settings, networks=networks, drafts=True) as engine:
        service = Service(
            settings,
            engine,
            Workspace(files / "batches"),
            files / "examples",
            Owners.with_secret_in(state),
            Downloads(settings.weights_dir, engine.networks_arrived),
            Journals(state),
            Bounds(settings),
        )
        service.restore()
        with _janitor(service, files):
            fetching = threading.Thread(target=_fetch_missing, args=(service,), daemon=True)
            fetching.start()
            try:
                yield service
            finally:
                fetching.join()
                service.downloads.close()


def _fetch_missing(service: Service) -> None:
    """Begin the downloads of a first start, once it is known what is here."""
    device = service.engine.facts(wait=True).device
    here = service.engine.inventory()
    service.downloads.start(inventory.files_to_fetch(service.settings, device, here))


@contextmanager
def _janitor(service: Service, files: Path) -> Iterator[None]:
    """Remove what is older than its time, now and then, in a thread of its own."""
    closing = threading.Event()

    def work() -> None:
        while True:
            try:
                sweep(service, files)
            except OSError as error:
                log.error("sweep_failed %s", trace_of(error))
            if closing.wait(SWEEP_EVERY_S):
                return

    thread = threading.Thread(target=work, name="janitor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()


def sweep(service: Service, files: Path) -> None:
    """Remove old batches and uploads from the disk, and forget those batches."""
    service.workspace.sweep(service.settings.keep_hours)
    spare = (service.workspace.root, service.examples)
    sweep_uploads(files, service.settings.keep_hours, spare)
    service.batches.forget_ended(lambda batch: folder_of(batch).exists())
    service.journals.sweep(service.workspace)
