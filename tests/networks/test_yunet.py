"""YuNet finds the faces that RetinaFace finds, from any thread, at any size, nothing kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photoenhance_ui.errors import ArchitectureUnknown, WeightsDamaged
from photoenhance_ui.networks import yunet
from photoenhance_ui.networks.on_openvino.loading import load_detector
from photoenhance_ui.networks.yunet import OpenCvBackend, YuNetDetector
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed
from tests.networks.detection import (
    FACES_IN,
    MOBILENET,
    TINY_SHAPES,
    YUNET,
    expect_found_by_several_threads,
    expect_nothing_left,
    expect_same_places,
    needs_data,
    overlap_of,
    photo_of,
    published,
)

pytestmark = needs_data


@pytest.fixture(scope="module")
def detector() -> YuNetDetector:
    return YuNetDetector(YUNET, str(published(YUNET).path))


@pytest.mark.parametrize("shape", [*TINY_SHAPES, (1, 3000), (3000, 1)])
def test_tiny_pictures_have_no_faces(detector: YuNetDetector, shape: tuple[int, int]) -> None:
    assert detector([np.full((*shape, 3), 128, np.uint8)]) == [[]]


@pytest.mark.parametrize("name", FACES_IN)
def test_it_finds_the_same_faces_as_retinaface(detector: YuNetDetector, name: str) -> None:
    photo = photo_of(name)
    (faces,), (others,) = detector([photo]), load_detector(published(MOBILENET))([photo])
    assert len(faces) == FACES_IN[name]
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    for face in faces:
        other = max(others, key=lambda each: overlap_of(face, each))
        assert overlap_of(face, other) > 0.5
        width = other.box[2] - other.box[0]
        # The same five points in the same order: left eye, right eye, nose, mouth.
        assert np.abs(face.landmarks - other.landmarks).max() < 0.15 * width
        assert face.landmarks[0, 0] < face.landmarks[1, 0]
        assert face.landmarks.dtype == face.box.dtype == np.float32


def test_nothing_of_one_picture_is_left_for_the_next(detector: YuNetDetector) -> None:
    expect_nothing_left(
        detector, photo_of("one-face-418x520.jpg"), photo_of("three-faces-783x1146.png")
    )


def test_several_threads_at_once_get_their_own_faces(detector: YuNetDetector) -> None:
    photos = [photo_of(name) for name in list(FACES_IN)[:2]]
    mirrored = [np.ascontiguousarray(photo[:, ::-1]) for photo in photos]
    expect_found_by_several_threads(detector, photos + mirrored)


def test_a_shrunk_picture_has_its_faces_where_the_whole_one_has_them(
    detector: YuNetDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = photo_of("two-faces-1297x1920.jpg")
    monkeypatch.setattr(yunet, "MAX_SIDE_PX", 1920)
    (whole,) = detector([photo])
    monkeypatch.setattr(yunet, "MAX_SIDE_PX", 700)
    (shrunk,) = detector([photo])
    expect_same_places(shrunk, whole)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("change", [cut, lambda _: b"garbage" * 99, lambda _: b""])
def test_a_damaged_file_is_told(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = tmp_path / published(YUNET).path.name
    path.write_bytes(change(published(YUNET).path.read_bytes()))
    with pytest.raises(WeightsDamaged):
        OpenCvBackend().load(replace(published(YUNET), path=path), None)


def test_opencv_computes_yunet_and_leaves_every_other_network_to_others() -> None:
    backend = OpenCvBackend()
    detector = backend.load(published(YUNET), None).exact
    assert isinstance(detector, YuNetDetector)
    assert detector.name == YUNET
    for other in (published(MOBILENET), Installed(BUILTIN, BUILTIN_FILE)):
        with pytest.raises(ArchitectureUnknown):
            backend.load(other, None)


def test_a_detector_is_always_exact() -> None:
    detector = OpenCvBackend().load(published(YUNET), None)
    assert detector.fast_form(0.5) is None
    assert detector.in_fast_form() is detector.exact
    assert detector.confirm()
