"""What the viewer shows of a photo, as values."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.face_layers import FaceLayers
from photoenhance_ui.batches.storage import Workspace
from photoenhance_ui.engine.engine import open_engine
from photoenhance_ui.request import Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.ui.texts import CHINESE, ENGLISH
from photoenhance_ui.ui.viewer import WORDS, closed_viewer, viewer_value
from testing.by_hand import face_at
from testing.driver import run_to_end
from testing.photos import PhotoMaker
from testing.stand_ins import StandInNetworks


@pytest.fixture
def finished(
    settings: Settings, tmp_path: Path, photo_file: PhotoMaker
) -> Iterator[tuple[Batch, str]]:
    """A photo of 160 by 160 with a face that begins at (40, 60)."""
    networks = StandInNetworks([face_at(40, 60, 40)])
    files = Workspace(tmp_path / "batches").new_batch()
    layers = FaceLayers(files.folder / "kept")
    with open_engine(settings, networks=networks) as engine:
        batch = Batch(engine, "me", Request(upscaler="builtin"), files, settings, layers=layers)
        photo_id = batch.add(photo_file("astronaut", 160))
        run_to_end(batch)
        yield batch, photo_id


def test_a_photo_is_told_with_its_faces_as_shares_of_it(
    finished: tuple[Batch, str], settings: Settings
) -> None:
    batch, photo_id = finished
    shown = viewer_value(batch, photo_id, 7, settings, ENGLISH)
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["request_id"], shown["photo"], shown["width"]) == (7, photo_id, 320)
    assert "_enhanced" in shown["after"] and "_original" in shown["before"]
    (face,), (kept,) = shown["faces"], batch.results.faces(photo_id)
    assert face["x"] == kept.box.x / 160 and face["y"] == kept.box.y / 160
    assert face["width"] == kept.box.width / 160
    assert face["strength"] == batch.request.face_strength


def test_an_unfinished_photo_shows_nothing(
    finished: tuple[Batch, str], settings: Settings, photo_file: PhotoMaker
) -> None:
    batch, _ = finished
    waiting = batch.add(photo_file("coffee"))
    assert viewer_value(batch, waiting, 1, settings, ENGLISH) == closed_viewer(ENGLISH)


def test_the_viewer_has_its_words_in_both_languages() -> None:
    for say in (ENGLISH, CHINESE):
        words = closed_viewer(say)["words"]
        assert set(words) == {*WORDS, "viewer"}
    assert closed_viewer(CHINESE)["words"]["close"] == "关闭"
