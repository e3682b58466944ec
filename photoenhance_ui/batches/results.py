"""Finished photos as files: how one is written, and what is made of it later without networks."""

import logging
import shutil
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from photoenhance_ui.batches.entries import Entries, Entry
from photoenhance_ui.batches.face_layers import FaceLayer, FaceLayers
from photoenhance_ui.batches.journal import JournalKeeper
from photoenhance_ui.batches.storage import BatchFiles, plain_stem, result_stem
from photoenhance_ui.errors import InvalidOption, PhotoMissing, as_photoenhance_error
from photoenhance_ui.events import Row, State, failed_by
from photoenhance_ui.images.codec import (
    Limits,
    Provenance,
    read_photo,
    write_photo,
)
from photoenhance_ui.images.difference import difference_map, faithfulness_db
from photoenhance_ui.names import safe_name
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline.enhancer import blend
from photoenhance_ui.replacing import replacing
from photoenhance_ui.request import Request, Saving

log = logging.getLogger(__name__)


class Results:
    """What can be made of a batch's finished photos. What is not a list of faces blocks."""

    def __init__(
        self,
        entries: Entries,
        request: Request,
        files: BatchFiles,
        limits: Limits,
        *,
        layers: FaceLayers | None,
        journal: JournalKeeper,
    ) -> None:
        self._entries = entries
        self._request = request
        self._files = files
        self._limits = limits
        self._layers = layers
        self._journal = journal
        self._blending = threading.Lock()

    def faces(self, photo_id: str) -> tuple[FaceLayer, ...]:
        """The faces that were restored, in the order found; none where they are not kept."""
        entry = self._entries[photo_id]
        if self._layers is None or not entry.row.faces or entry.row.state is not State.DONE:
            return ()
        if entry.boxes is None:
            entry.boxes = self._layers.boxes(photo_id)
        each = zip(entry.boxes, self._strengths(entry), strict=False)
        return tuple(FaceLayer(box, strength) for box, strength in each)

    def blend_again(self, photo_id: str, strengths: Sequence[float]) -> Row:
        """Blend the kept faces anew, one strength 0..1 for each, without the networks.

        The result gets a new path, with the same file name; gives the new row. Raises
        PhotoEnhanceError with a sentence where it is impossible.
        """
        with self._blending, _as_our_errors(photo_id):
            entry = self._entries[photo_id]
            before = self._finished_photo(photo_id)
            row = before.blended(strengths)
            if entry.outdated is not None:
                remove_version(photo_id, entry.outdated)
            entry.outdated, entry.strengths, entry.row = before.output, tuple(strengths), row
            self._journal.write()
        return row

    def saved_as(self, photo_id: str, saving: Saving) -> Path:
        """The finished photo in another format or quality (1..100), written once.

        Raises PhotoEnhanceError.
        """
        with _as_our_errors(photo_id):
            return self._finished_photo(photo_id).saved_as(saving)

    def difference(self, photo_id: str) -> Path:
        """A PNG that shows where and how far the result differs from its original.

        Raises PhotoEnhanceError.
        """
        with _as_our_errors(photo_id):
            return self._finished_photo(photo_id).difference()

    def _finished_photo(self, photo_id: str) -> "FinishedPhoto":
        entry = self._entries[photo_id]
        if entry.row.output is None or entry.original is None:
            raise PhotoMissing("This photo is not finished.")
        results = self._files.place_for(entry.id, entry.name).folder.parent
        return FinishedPhoto(
            entry.id, results, entry.original, entry.row, self._strengths(entry), self._request,
            self._limits, self._layers,
        )  # fmt: skip

    def _strengths(self, entry: Entry) -> tuple[float, ...]:
        """Those of the restored faces: as they were blended again, else as it was asked for."""
        if entry.strengths is not None:
            return entry.strengths
        return (self._request.face_strength,) * (entry.row.faces or 0)


@contextmanager
def _as_our_errors(photo_id: str) -> Iterator[None]:
    """Raise PhotoEnhanceError for whatever goes wrong inside; nobody sees a foreign error."""
    try:
        yield
    except Exception as error:
        failed_by(error, log, f"photo={photo_id}")
        raise as_photoenhance_error(error) from error


def write_result(
    result: Photo,
    source: Photo,
    folder: Path,
    saving: Saving,
    *,
    networks: tuple[str, ...],
    strengths: Sequence[float],
    stem: str | None = None,
) -> Path:
    """Write an enhanced photo as ``saving`` says, with its note; gives the path.

    ``strengths`` are those of its restored faces; the note tells of the largest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return write_photo(
        result,
        folder,
        saving,
        provenance=Provenance(
            networks=networks,
            scale=result.size.width / source.size.width,
            face_strength=max(strengths, default=0) or None,
        ),
        stem=stem or result_stem(source.name),
    )


@dataclass(frozen=True, eq=False)
class FinishedPhoto:
    """A finished photo of a batch, from which other files are made. Everything here blocks."""

    id: str
    results: Path
    """The folder below which its batch's results lie."""
    original: Path
    row: Row
    strengths: tuple[float, ...]
    """Those of its restored faces, as blended now."""
    request: Request
    limits: Limits
    layers: FaceLayers | None

    @property
    def output(self) -> Path:
        """The enhanced photo as it lies there."""
        assert self.row.output is not None
        return Path(self.row.output)

    def blended(self, strengths: Sequence[float]) -> Row:
        """Blend the kept faces anew into a file in a new folder; gives the row that tells of it.

        It tells of no draft, which goes with the first version.
        Raises PhotoMissing where the parts are gone, InvalidOption for impossible strengths.
        """
        if not all(0 <= strength <= 1 for strength in strengths):
            raise InvalidOption("The strength of a face is a number from 0 to 1.")
        source = self._source()
        parts = None if self.layers is None else self.layers.get(self.id, source)
        if parts is None or not parts.faces:
            raise PhotoMissing(
                "The faces of this photo are not kept (any more). Enhance it again to change them."
            )
        if len(strengths) != len(parts.faces):
            raise InvalidOption(f"The photo has {len(parts.faces)} restored faces.")
        result = blend(parts, strengths)
        folder = self.results / uuid.uuid4().hex / self.id
        path = write_result(
            result, source, folder, self.request.saving,
            networks=self.row.networks, strengths=strengths,
        )  # fmt: skip
        nearness = round(faithfulness_db(source, result), 2)
        return replace(self.row, output=str(path), faithfulness_db=nearness, draft=None)

    def saved_as(self, saving: Saving) -> Path:
        """The result in another format or quality; made once, then found."""
        if saving == self.request.saving:
            return self.output
        kind = f"{saving.output_format}-{saving.quality}-"
        folder = self.output.parent / (kind + ("all" if saving.keep_metadata else "bare"))
        made = next(folder.glob("*_enhanced.*"), None)
        if made is not None:
            return made
        source = self._source()
        return write_result(
            self._lossless(source), source, folder, saving,
            networks=self.row.networks, strengths=self.strengths,
        )  # fmt: skip

    def difference(self) -> Path:
        """A PNG that shows where the result differs from the original; made once, then found."""
        path = self.output.parent / safe_name(f"{plain_stem(self.row.name)}_difference", ".png")
        if not path.exists():
            picture = difference_map(self._source().pixels, self._as_it_lies_there().pixels)
            _, encoded = cv2.imencode(".png", picture[..., ::-1])
            with replacing(path) as part:
                part.write_bytes(encoded.tobytes())
        return path

    def _source(self) -> Photo:
        if not (self.original.exists() and self.output.exists()):
            raise PhotoMissing("The photo is not kept any more. Enhance it again.")
        return read_photo(self.original, self.limits, self.row.name)

    def _lossless(self, source: Photo) -> Photo:
        """The result as it was before it was written; where that is not kept, as it was written."""
        parts = None if self.layers is None else self.layers.get(self.id, source)
        if parts is not None:
            return blend(parts, self.strengths)
        written = self._as_it_lies_there()
        return source.with_pixels(written.pixels, written.alpha)

    def _as_it_lies_there(self) -> Photo:
        any_size = Limits(2**63, 2**63)  # it is ours
        return read_photo(self.output, any_size, self.row.name)


def remove_version(photo_id: str, output: Path) -> None:
    """Remove a photo's result that nobody looks at any more, and all that was made of it."""
    assert output.parent.name == photo_id, "it lies in a folder of the photo's own"
    shutil.rmtree(output.parent, ignore_errors=True)
