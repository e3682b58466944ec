"""RetinaFace in torch: the faces that facexlib finds.

Where the real weights or photos are not there, networks at full size with random ones.
"""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.on_torch.detectors import load_detector
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.weights.inventory import Installed
from testing.photos import skimage_photo
from tests.networks.detection import (
    BACKBONES,
    FACES_IN,
    MOBILENET,
    TINY_SHAPES,
    needs_data,
    photo_of,
    published,
    published_detector,
    random_detector,
    reference_rows,
    rows_of,
    write_detector,
)

CPU = Placement(torch.device("cpu"))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("kind", BACKBONES)
def test_both_backbones_give_what_facexlib_gives(tmp_path: Path, kind: str) -> None:
    picture = skimage_photo("astronaut")[40:143, 150:275]
    detector = random_detector(kind, picture)
    installed = write_detector(detector, kind, tmp_path)
    ours = load_detector(installed, CPU)
    installed.path.unlink()
    assert ours.name == BACKBONES[kind]
    theirs = reference_rows(detector, picture)
    (faces,) = ours([picture])
    rows = rows_of(faces)
    assert len(theirs) > 5
    assert rows.shape == theirs.shape
    assert np.abs(rows - theirs).max() < 0.5
    assert (np.diff(rows[:, 4]) <= 0).all()


@needs_data
@pytest.mark.parametrize("name", FACES_IN)
def test_the_real_network_finds_what_facexlib_finds(name: str) -> None:
    theirs = reference_rows(published_detector(), photo_of(name))
    (faces,) = load_detector(published(MOBILENET), CPU)([photo_of(name)])
    assert len(faces) == FACES_IN[name]
    assert rows_of(faces).shape == theirs.shape
    assert np.abs(rows_of(faces) - theirs).max() < 0.5
    assert np.abs(rows_of(faces)[:, 4] - theirs[:, 4]).max() < 1e-3


@needs_data
@pytest.mark.parametrize("shape", [*TINY_SHAPES, (1, 3000), (3000, 1)])
def test_tiny_pictures_have_no_faces(shape: tuple[int, int]) -> None:
    assert load_detector(published(MOBILENET), CPU)([np.full((*shape, 3), 128, np.uint8)]) == [[]]


def test_the_file_of_another_backbone_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / by_name(MOBILENET).file
    torch.save({"body.conv1.weight": torch.ones(64, 3, 7, 7)}, path)
    with pytest.raises(WeightsDamaged, match=path.name):
        load_detector(Installed(MOBILENET, path, by_name(MOBILENET)), CPU)
