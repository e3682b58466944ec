"""``enhance``: files and folders in, results in a folder, one line of report per photo."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from photoenhance_ui.batches.storage import Place
from photoenhance_ui.cli.inputs import Inputs, Job
from photoenhance_ui.cli.parser import ALL_DONE, CANCELLED, NOTHING_STARTED, SOME_FAILED
from photoenhance_ui.errors import OutputNotWritable
from photoenhance_ui.events import Row, State
from photoenhance_ui.names import plain_name
from photoenhance_ui.request import OPTIONS, Request, preset_options
from photoenhance_ui.settings import Settings

if TYPE_CHECKING:
    from photoenhance_ui.batches.batch import Batch
    from photoenhance_ui.cli.progress import Progress
    from photoenhance_ui.engine.interface import Engine

OWNER = "command line"


def enhance(given: argparse.Namespace, settings: Settings) -> int:
    """Enhance what was given; the exit code says whether all, some or none could be done."""
    request = _request(given, ())
    inputs = Inputs(
        given.inputs, given.output, request.saving.output_format, given.recursive, given.resume
    )
    if inputs.nothing_is_there:
        return _refuse(f"There is no file or folder {given.inputs[0]}.")
    total = sum(1 for _ in inputs)
    if total == 0:
        return _nothing_to_do(inputs)
    _make_writable(given.output)
    with _Report(given.report, added=given.resume) as report:
        from photoenhance_ui.cli.progress import progress_for
        from photoenhance_ui.engine.engine import open_engine

        with open_engine(settings) as engine:
            request = _request(given, engine.facts(wait=True).upscalers)
            with closing(progress_for(total, quiet=given.quiet)) as progress:
                run = _Run(engine, request, settings, report, progress)
                asyncio.run(run.through(inputs))
    if not given.quiet:
        print(run.summary(inputs, given.output), file=sys.stderr)
    return run.exit_code(inputs)


def _request(given: argparse.Namespace, installed_upscalers: Collection[str]) -> Request:
    """The preset's options, and over them those that were given."""
    fills = preset_options(given.preset, installed_upscalers) if given.preset else {}
    chosen = {o.name: getattr(given, o.name) for o in OPTIONS if hasattr(given, o.name)}
    return Request.from_options({**fills, **chosen})


def _refuse(sentence: str) -> int:
    print(plain_name(sentence), file=sys.stderr)
    return NOTHING_STARTED


def _nothing_to_do(inputs: Inputs) -> int:
    if inputs.unreadable:
        return _refuse(f"The folder {min(inputs.unreadable)} cannot be read.")
    if inputs.already_done:
        print("Every result is there already.", file=sys.stderr)
        return ALL_DONE
    deeper = "" if inputs.recursive else " With --recursive, folders inside it are taken too."
    return _refuse(f"There is no photo in {inputs.given[0]}.{deeper}")


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritable(
            f"The output folder {folder} cannot be made ({error.strerror})."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputNotWritable(f"The output folder {folder} cannot be written.")


class ResultsFolder:
    """The files of the command line: photos stay where they are, results go to their places."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._wanted = {job.source: job.place for job in jobs}
        self._places: dict[str, Place] = {}

    def take(self, photo_id: str, path: Path) -> Path:
        """Read the photo where it is; nobody else is in charge of it."""
        self._places[photo_id] = self._wanted[path]
        return path

    def place_for(self, photo_id: str, name: str) -> Place:  # noqa: ARG002 - the BatchFiles protocol
        """The place that was worked out for this photo."""
        return self._places[photo_id]

    def exists(self) -> bool:
        """Results are the person's own; nothing here removes them."""
        return True

    def begin(self) -> None:
        """Nothing to keep alive."""

    def end(self) -> None:
        """Nothing to give back."""


class _Report:
    """The rows of settled photos, one line of JSON each, written as they settle."""

    def __init__(self, path: Path | None, *, added: bool) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._mode = "a" if added else "w"
        self.broke = False

    def __enter__(self) -> "_Report":
        if self._path is not None:
            try:
                self._file = self._path.open(
                    self._mode,
                    encoding="utf-8",
                    errors="backslashreplace",  # names that are no text: JSON's own escapes
                )
            except OSError as error:
                raise OutputNotWritable(
                    f"The report {self._path} cannot be written ({error.strerror})."
                ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # what can be said about it was said by write
                self._file.close()

    def write(self, row: Row) -> None:
        """Add a line; a report that cannot be written ends no work, but is told."""
        if self._file is None or self.broke:
            return
        try:
            self._file.write(json.dumps(row.as_json(), ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            self.broke = True
            print(f"The report can no longer be written ({error.strerror}).", file=sys.stderr)


class _Run:
    """One pass over all photos, in batches of a bounded number."""

    def __init__(
        self,
        engine: "Engine",
        request: Request,
        settings: Settings,
        report: _Report,
        progress: "Progress",
    ) -> None:
        self._engine, self._request, self._settings = engine, request, settings
        self._report, self._progress = report, progress
        self._settled: Counter[State] = Counter()
        self._batch: Batch | None = None
        self._stopped = False

    async def through(self, jobs: Iterable[Job]) -> None:
        """Enhance all; Ctrl-C cancels within a tile and keeps what is done."""
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends the loop, which cancels too
            loop.add_signal_handler(signal.SIGINT, self._stop)
        for some in _chunks(iter(jobs), self._settings.max_photos):
            await self._one_batch(some)
            if self._stopped:
                return

    async def _one_batch(self, jobs: list[Job]) -> None:
        from photoenhance_ui.batches.batch import Batch

        batch = Batch(self._engine, OWNER, self._request, ResultsFolder(jobs), self._settings)
        self._batch = batch
        for job in jobs:
            batch.add(job.source, job.name)
        async for change in batch.changes():
            self._progress.show(change)
            if change.row.state.settled:
                self._settled[change.row.state] += 1
                self._report.write(change.row)

    def _stop(self) -> None:
        self._stopped = True
        # A second Ctrl-C means it: it ends the program the hard way.
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        if self._batch is not None:
            self._batch.cancel()

    def summary(self, inputs: Inputs, output: Path) -> str:
        """What became of all, in a sentence or two."""
        counts = (
            (self._settled[State.DONE], "done"),
            (self._settled[State.FAILED], "failed"),
            (self._settled[State.CANCELLED], "cancelled"),
            (inputs.already_done, "already there"),
            (inputs.left_out, "left out: no photos by their name"),
        )
        told = ", ".join(f"{number} {word}" for number, word in counts if number)
        return f"{told}. Results are in {output}."

    def exit_code(self, inputs: Inputs) -> int:
        """0 all done, 3 some or all failed, 130 cancelled."""
        if self._stopped:
            return CANCELLED
        is_whole = not (self._settled[State.FAILED] or inputs.unreadable or self._report.broke)
        return ALL_DONE if is_whole else SOME_FAILED


def _chunks(jobs: Iterator[Job], size: int) -> Iterator[list[Job]]:
    while some := list(islice(jobs, size)):
        yield some
