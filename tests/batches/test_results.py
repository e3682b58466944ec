"""What is made of a finished photo later: faces blended anew, other formats, the difference."""

import asyncio
import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.face_layers import FaceLayers
from photoenhance_ui.batches.storage import BatchFolder, Workspace
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.errors import DiskFull, InvalidOption, PhotoMissing
from photoenhance_ui.events import State
from photoenhance_ui.geometry import Region
from photoenhance_ui.request import OutputFormat, Request, Saving
from photoenhance_ui.settings import Settings
from testing.by_hand import face_at
from testing.photos import PhotoMaker
from testing.stand_ins import LARGE, StandInNetworks

WISH = Request(upscaler=LARGE, face_strength=0.6)
TWO = (face_at(10, 12, 40), face_at(60, 30, 50))

Begin = Callable[..., Batch]


@pytest.fixture
def networks() -> StandInNetworks:
    return StandInNetworks(TWO)


@pytest.fixture
def files(tmp_path: Path) -> BatchFolder:
    return Workspace(tmp_path / "batches").new_batch()


@pytest.fixture
def begin(engine: Engine, settings: Settings, files: BatchFolder) -> Begin:
    def make(request: Request = WISH, *, keeps: bool = True) -> Batch:
        layers = FaceLayers(files.folder / "kept") if keeps else None
        return Batch(engine, "me", request, files, settings, layers=layers)

    return make


def run(batch: Batch) -> None:
    async def watch() -> None:
        async for _ in batch.changes():
            pass

    asyncio.run(asyncio.wait_for(watch(), timeout=60))
    assert all(row.state is State.DONE for row in batch.rows), batch.rows


def finished(batch: Batch, path: Path) -> str:
    photo_id = batch.add(path)
    run(batch)
    return photo_id


def output(batch: Batch, photo_id: str) -> Path:
    return Path(batch.row(photo_id).output or "")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


# Faces


@pytest.mark.parametrize("file_name", ["a.jpg", "a.png", "a.webp", "a.tiff"])
def test_the_original_strengths_give_the_same_bytes(
    begin: Begin, photo_file: PhotoMaker, networks: StandInNetworks, file_name: str
) -> None:
    batch = begin()
    photo_id = finished(batch, photo_file("astronaut", 120, file_name))
    first, row, runs = output(batch, photo_id), batch.row(photo_id), len(networks.work)
    again = batch.results.blend_again(photo_id, [0.6, 0.6])
    assert again == batch.row(photo_id)
    assert again == replace(row, output=again.output)
    assert Path(again.output or "") != first
    assert Path(again.output or "").name == first.name
    assert Path(again.output or "").read_bytes() == first.read_bytes()
    assert len(networks.work) == runs


def test_each_face_has_a_strength_of_its_own(begin: Begin, photo_file: PhotoMaker) -> None:
    batch = begin()
    photo_id = finished(batch, photo_file("astronaut", 120))
    assert [face.strength for face in batch.results.faces(photo_id)] == [0.6, 0.6]
    assert [face.box for face in batch.results.faces(photo_id)] == [
        Region(10, 12, 40, 40), Region(60, 30, 50, 50),
    ]  # fmt: skip
    first, none = (
        pixels(output(batch, photo_id)),
        pixels(Path(batch.results.blend_again(photo_id, [0, 0]).output or "")),
    )
    one = pixels(Path(batch.results.blend_again(photo_id, [0, 1]).output or ""))
    assert [face.strength for face in batch.results.faces(photo_id)] == [0, 1]
    assert (one[:100, :100] == none[:100, :100]).all()
    assert (one[120:140, 160:180] != none[120:140, 160:180]).any()
    assert (first[:100, :100] != none[:100, :100]).any()


def test_strengths_that_cannot_be_are_refused_and_change_nothing(
    begin: Begin, photo_file: PhotoMaker
) -> None:
    batch = begin()
    photo_id = finished(batch, photo_file("astronaut", 120))
    row = batch.row(photo_id)
    for strengths in ([], [0.5], [0.5, 0.5, 0.5], [0.5, 1.5], [float("nan"), 0.5]):
        with pytest.raises(InvalidOption):
            batch.results.blend_again(photo_id, strengths)
    assert batch.row(photo_id) == row


def test_only_the_last_two_versions_are_there(begin: Begin, photo_file: PhotoMaker) -> None:
    batch = begin()
    photo_id = finished(batch, photo_file("astronaut", 120))
    versions, maps = [output(batch, photo_id)], [batch.results.difference(photo_id)]
    for strength in (0.1, 0.2, 0.3):
        versions.append(Path(batch.results.blend_again(photo_id, [strength] * 2).output or ""))
        maps.append(batch.results.difference(photo_id))
    for paths in (versions, maps):
        assert [path.exists() for path in paths] == [False, False, True, True]
    assert {len(path.parts) for path in versions[1:]} == {len(versions[0].parts) + 1}
    assert {path.parent.name for path in versions} == {photo_id}


def test_nothing_is_kept_where_it_is_not_asked_for(
    begin: Begin, photo_file: PhotoMaker, files: BatchFolder
) -> None:
    batch = begin(keeps=False)
    photo_id = finished(batch, photo_file("astronaut", 120))
    assert batch.row(photo_id).faces == 2
    assert batch.results.faces(photo_id) == ()
    assert not (files.folder / "kept").exists()
    with pytest.raises(PhotoMissing, match="not kept"):
        batch.results.blend_again(photo_id, [1, 1])


def test_what_went_with_its_batch_is_told(
    begin: Begin, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    batch = begin()
    photo_id = finished(batch, photo_file("astronaut", 120))
    Workspace(tmp_path / "batches").sweep(keep_hours=-1)
    with pytest.raises(PhotoMissing):
        batch.results.blend_again(photo_id, [1, 1])
    with pytest.raises(PhotoMissing):
        batch.results.saved_as(photo_id, Saving(OutputFormat.PNG))
    with pytest.raises(PhotoMissing):
        batch.results.difference(photo_id)


def test_a_full_disk_is_told_in_a_sentence_and_changes_nothing(
    begin: Begin, photo_file: PhotoMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = begin()
    photo_id = finished(batch, photo_file("astronaut", 120))
    row, here = batch.row(photo_id), sorted(output(batch, photo_id).parent.iterdir())
    write = Path.write_bytes

    def half(path: Path, content: bytes) -> int:
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(DiskFull):
        batch.results.blend_again(photo_id, [1, 1])
    with pytest.raises(DiskFull):
        batch.results.difference(photo_id)
    assert batch.row(photo_id) == row
    assert sorted(output(batch, photo_id).parent.iterdir()) == here
    with pytest.raises(DiskFull):
        batch.results.saved_as(photo_id, Saving(OutputFormat.TIFF))


def test_a_photo_that_is_not_finished_has_nothing(
    begin: Begin, photo_file: PhotoMaker, networks: StandInNetworks
) -> None:
    batch = begin()
    photo_id = batch.add(photo_file("astronaut", 120))
    assert batch.results.faces(photo_id) == ()
    with pytest.raises(PhotoMissing, match="not finished"):
        batch.results.blend_again(photo_id, [1, 1])
    with pytest.raises(PhotoMissing, match="not finished"):
        batch.results.difference(photo_id)


# Other formats


def test_another_format_holds_the_lossless_pixels(begin: Begin, photo_file: PhotoMaker) -> None:
    lossy, lossless = begin(), begin(replace(WISH, saving=Saving(output_format=OutputFormat.PNG)))
    path = photo_file("astronaut", 120, "a.jpg")
    one, other = finished(lossy, path), finished(lossless, path)
    saved = lossy.results.saved_as(one, Saving(OutputFormat.PNG))
    assert saved.name == "a_enhanced.png"
    assert (pixels(saved) == pixels(output(lossless, other))).all()
    assert (pixels(saved) != pixels(output(lossy, one))).any()
    jpeg = lossless.results.saved_as(other, Saving(OutputFormat.JPEG))
    assert jpeg.read_bytes() == output(lossy, one).read_bytes()


def test_it_follows_the_faces(begin: Begin, photo_file: PhotoMaker) -> None:
    batch = begin(replace(WISH, saving=Saving(output_format=OutputFormat.PNG)))
    photo_id = finished(batch, photo_file("astronaut", 120))
    before = batch.results.saved_as(photo_id, Saving(OutputFormat.TIFF))
    batch.results.blend_again(photo_id, [0, 0])
    after = batch.results.saved_as(photo_id, Saving(OutputFormat.TIFF))
    assert (pixels(before) != pixels(after)).any()
    assert (pixels(after) == pixels(output(batch, photo_id))).all()


def test_it_is_written_once_and_what_was_asked_for_first_is_there_already(
    begin: Begin, photo_file: PhotoMaker
) -> None:
    batch = begin()
    photo_id = finished(batch, photo_file("astronaut", 120, "a.jpg"))
    assert batch.results.saved_as(photo_id, Saving(OutputFormat.SAME)) == output(batch, photo_id)
    wishes = [
        Saving(kind, q, keep)
        for kind in (OutputFormat.JPEG, OutputFormat.PNG)
        for q in (50, 95)
        for keep in (True, False)
    ]
    saved = [batch.results.saved_as(photo_id, saving) for saving in wishes]
    assert len(set(saved)) == len(wishes)
    times = [path.stat().st_mtime_ns for path in saved]
    again = [batch.results.saved_as(photo_id, saving) for saving in wishes]
    assert again == saved
    assert [path.stat().st_mtime_ns for path in again] == times
    assert saved[0].stat().st_size < saved[2].stat().st_size  # quality 50 and 95


def test_metadata_stays_or_goes(begin: Begin, tmp_path: Path, photo_file: PhotoMaker) -> None:
    path = tmp_path / "camera.jpg"
    with Image.open(photo_file("astronaut", 120)) as image:
        exif = image.getexif()
        exif[0x010F] = "A Maker"
        image.convert("RGB").save(path, exif=exif)
    batch = begin(replace(WISH, saving=Saving(keep_metadata=False)))
    photo_id = finished(batch, path)
    kept = batch.results.saved_as(photo_id, Saving(OutputFormat.SAME))
    for file, maker in ((kept, "A Maker"), (output(batch, photo_id), None)):
        with Image.open(file) as image:
            assert image.getexif().get(0x010F) == maker


def test_without_kept_parts_the_written_result_is_saved_anew(
    begin: Begin, photo_file: PhotoMaker
) -> None:
    batch = begin(keeps=False)
    photo_id = finished(batch, photo_file("astronaut", 120, "a.jpg"))
    saved = batch.results.saved_as(photo_id, Saving(OutputFormat.PNG))
    assert (pixels(saved) == pixels(output(batch, photo_id))).all()


# Difference


def test_the_difference_has_the_originals_size_and_follows_the_faces(
    begin: Begin, photo_file: PhotoMaker
) -> None:
    batch = begin(replace(WISH, scale=4))  # of which averaging gives back the original
    photo_id = finished(batch, photo_file("astronaut", 120, "a_enhanced.png"))
    with_faces = batch.results.difference(photo_id)
    assert with_faces.name == "a_difference.png"
    assert batch.results.difference(photo_id) == with_faces
    batch.results.blend_again(photo_id, [0, 0])
    without = batch.results.difference(photo_id)
    assert without != with_faces
    assert pixels(without).shape == (120, 120, 3)
    assert np.ptp(pixels(without), axis=2).max() == 0
    assert np.ptp(pixels(with_faces), axis=2).max() > 50
