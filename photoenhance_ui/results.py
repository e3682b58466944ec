"""Finished photos as files: how one is written, and what is made of it later without networks."""

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from photoenhance_ui.codec import (
    Limits,
    Provenance,
    read_photo,
    write_photo,
)
from photoenhance_ui.difference import difference_map, faithfulness_db
from photoenhance_ui.enhancer import blend
from photoenhance_ui.errors import InvalidOption, PhotoMissing
from photoenhance_ui.events import Row
from photoenhance_ui.kept import KeptParts
from photoenhance_ui.names import safe_name
from photoenhance_ui.photo import Photo
from photoenhance_ui.replacing import replacing
from photoenhance_ui.request import Request, Saving
from photoenhance_ui.storage import plain_stem, result_stem


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
    """Of its restored faces, as blended now."""
    request: Request
    limits: Limits
    kept: KeptParts | None

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
        parts = None if self.kept is None else self.kept.get(self.id, source)
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
        parts = None if self.kept is None else self.kept.get(self.id, source)
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
