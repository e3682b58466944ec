"""Files of face networks on a CPU: detectors that find what torch finds, damaged files told."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.errors import ArchitectureUnknown, WeightsDamaged
from photoenhance_ui.networks import retinaface
from photoenhance_ui.networks.on_openvino.compiled_networks import CompiledDetector
from photoenhance_ui.networks.on_openvino.loading import load_detector
from photoenhance_ui.pipeline.contracts import FaceDetector
from photoenhance_ui.weights.inventory import Installed
from testing.photos import skimage_photo
from tests.networks.detection import (
    BACKBONES,
    DATA,
    FACES_IN,
    MOBILENET,
    RESNET50,
    TINY_SHAPES,
    YUNET,
    expect_found_by_several_threads,
    expect_nothing_left,
    expect_same_places,
    needs_data,
    of_size,
    photo_of,
    published,
    published_detector,
    random_detector,
    reference_rows,
    rows_of,
    write_detector,
)

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL_PX = 0.01


@pytest.mark.parametrize("kind", BACKBONES)
def test_both_backbones_find_what_facexlib_finds(tmp_path: Path, kind: str) -> None:
    picture = skimage_photo("astronaut")[40:143, 150:275]
    reference = random_detector(kind, picture)
    installed = write_detector(reference, kind, tmp_path)
    detector = load_detector(installed)
    (faces,) = detector([picture])
    installed.path.unlink()
    theirs = reference_rows(reference, picture)
    assert detector.name == BACKBONES[kind]
    assert len(theirs) > 5
    assert rows_of(faces).shape == theirs.shape
    assert np.abs(rows_of(faces) - theirs).max() < SMALL_PX
    assert (np.diff(rows_of(faces)[:, 4]) <= 0).all()


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return load_detector(published(MOBILENET))


@needs_data
@pytest.mark.parametrize("name", FACES_IN)
@pytest.mark.parametrize("factor", [1, 0.613])
def test_the_real_network_finds_what_facexlib_finds(
    detector: FaceDetector, name: str, factor: float
) -> None:
    reference = published_detector()
    photo = photo_of(name)
    photo = of_size(photo, *(round(side * factor) for side in photo.shape[:2]))
    (faces,) = detector([photo])
    theirs = reference_rows(reference, photo)
    assert len(faces) == FACES_IN[name]
    assert rows_of(faces).shape == theirs.shape
    assert np.abs(rows_of(faces) - theirs).max() < SMALL_PX
    assert np.abs(rows_of(faces)[:, 4] - theirs[:, 4]).max() < 1e-5


@needs_data
@pytest.mark.parametrize("shape", [*TINY_SHAPES, (1, 3000), (3000, 1)])
def test_tiny_pictures_have_no_faces(detector: FaceDetector, shape: tuple[int, int]) -> None:
    assert detector([np.full((*shape, 3), 128, np.uint8)]) == [[]]


@needs_data
def test_nothing_of_one_picture_is_left_for_the_next(detector: FaceDetector) -> None:
    expect_nothing_left(
        detector, photo_of("one-face-418x520.jpg"), photo_of("three-faces-783x1146.png")
    )


@needs_data
def test_several_threads_at_once_get_their_own_faces(detector: FaceDetector) -> None:
    photos = [photo_of(name) for name in list(FACES_IN)[:2]]
    mirrored = [np.ascontiguousarray(photo[:, ::-1]) for photo in photos]
    expect_found_by_several_threads(detector, photos + mirrored)


@needs_data
def test_a_shrunk_picture_has_its_faces_where_the_whole_one_has_them(
    detector: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = photo_of("two-faces-1297x1920.jpg")
    (whole,) = detector([photo])
    monkeypatch.setattr(retinaface, "MAX_PIXELS", 500_000)
    (shrunk,) = detector([photo])
    expect_same_places(shrunk, whole)


@needs_data
def test_a_detector_finds_the_same_after_its_memory_was_released(detector: FaceDetector) -> None:
    photo = photo_of("one-face-418x520.jpg")
    (before,) = detector([photo])
    assert isinstance(detector, CompiledDetector)
    detector.release_memory()
    assert np.array_equal(rows_of(detector([photo])[0]), rows_of(before))


def test_a_detector_that_only_opencv_knows_is_left_to_it() -> None:
    with pytest.raises(ArchitectureUnknown, match="YuNet"):
        load_detector(published(YUNET))


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@needs_data
@pytest.mark.parametrize("change", [cut, lambda _: b"garbage" * 99, lambda _: b""])
def test_a_damaged_file_is_told(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    known = by_name(MOBILENET)
    path = tmp_path / known.file
    path.write_bytes(change((DATA / "weights" / known.file).read_bytes()))
    with pytest.raises(WeightsDamaged):
        load_detector(Installed(MOBILENET, path, known))


@needs_data
def test_the_file_of_another_backbone_is_damaged() -> None:
    wrong = Installed(RESNET50, published(MOBILENET).path, by_name(RESNET50))
    with pytest.raises(WeightsDamaged, match=wrong.path.name):
        load_detector(wrong)
