"""Finders: the faces that facexlib finds, from any thread, at any size, with nothing kept.

Where the real weights or photos are not there, networks at full size with random ones.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from facexlib.detection.retinaface import RetinaFace, generate_config
from facexlib.detection.retinaface_utils import PriorBox
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks import reference, seeded_weights
from photoenhance_ui.catalogue import by_name
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.interfaces import FaceFinder, FoundFace
from photoenhance_ui.networks.on_torch import finders
from photoenhance_ui.networks.on_torch.finders import (
    MAX_PIXELS,
    SCORE_THRESHOLD,
    RetinaFaceFinder,
    anchors_for,
    load_finder,
)
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.weights import Installed
from tests.conftest import skimage_photo

DATA = Path(__file__).parents[3] / "shared" / "data"
CPU = Placement(torch.device("cpu"))
MOBILENET, RESNET50 = "detection_mobilenet0.25_Final", "detection_Resnet50_Final"
YUNET = "face_detection_yunet_2023mar"
FACES_IN = {
    "one-face-418x520.jpg": 1,
    "two-faces-700x464.jpg": 2,
    "two-faces-1297x1920.jpg": 2,
    "three-faces-783x1146.png": 3,
}

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="needs the shared real weights and photos"
)
Picture = NDArray[np.uint8]


pytestmark = pytest.mark.usefixtures("one_thread")


def real(name: str) -> FaceFinder:
    known = by_name(name)
    return load_finder(Installed(name, DATA / "weights" / known.file, known), CPU)


def photo_of(name: str) -> Picture:
    bgr = cv2.imread(str(DATA / "photos" / name))
    assert bgr is not None
    return np.ascontiguousarray(bgr[..., ::-1], np.uint8)


def found(finder: FaceFinder, *pictures: Picture) -> list[list[FoundFace]]:
    with torch.inference_mode():
        return finder(pictures)


def rows_of(faces: list[FoundFace]) -> NDArray[np.float32]:
    """(N, 15) in facexlib's order: box, score, landmarks."""
    rows = [[*face.box, face.score, *face.landmarks.reshape(-1)] for face in faces]
    return np.array(rows, np.float32).reshape(len(rows), 15)


def reference_rows(detector: Any, picture: Picture) -> NDArray[np.float32]:
    with torch.no_grad():
        rows = detector.detect_faces(np.ascontiguousarray(picture[..., ::-1]), SCORE_THRESHOLD)
    return np.asarray(rows, np.float32)


def same_faces(ours: list[FoundFace], others: list[FoundFace]) -> bool:
    return np.array_equal(rows_of(ours), rows_of(others))


@examples(deadline=None)
@given(st.integers(1, 150), st.integers(1, 150))
def test_anchors_are_those_of_facexlib(height: int, width: int) -> None:
    theirs = PriorBox(generate_config("mobile0.25"), image_size=(height, width)).forward()
    torch.testing.assert_close(anchors_for(height, width, CPU.device), theirs, rtol=1e-6, atol=0)


def random_detector(kind: str, picture: Picture) -> Any:
    """facexlib's detector with seeded random weights that find a few faces in the picture."""
    torch.manual_seed(3)
    detector = RetinaFace(kind, device="cpu")
    bgr = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1]))
    inputs = bgr.permute(2, 0, 1)[None] - detector.mean_tensor
    norms = [layer for layer in detector.modules() if isinstance(layer, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
        detector.train()(inputs)  # what runs through 50 layers keeps its size from here on
        detector.eval().phase = "train"  # gives scores as they are
        scores = detector(inputs)[1][0]
        lead = scores[:, 1] - scores[:, 0]
        # The best score stays below 1: among equal ones, chance would choose.
        sharpness = 8 / (lead.max() - lead.mean())
        for head in detector.ClassHead:
            head.conv1x1.weight.mul_(sharpness)
            head.conv1x1.bias.mul_(sharpness)[1::2].sub_(lead.mean() * sharpness)
    detector.phase = "test"
    return detector


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")  # facexlib's old parameter name
@pytest.mark.parametrize(("kind", "name"), [("mobile0.25", MOBILENET), ("resnet50", RESNET50)])
def test_both_backbones_give_what_facexlib_gives(tmp_path: Path, kind: str, name: str) -> None:
    picture = skimage_photo("astronaut")[40:143, 150:275]
    detector = random_detector(kind, picture)
    path = tmp_path / by_name(name).file
    torch.save({f"module.{key}": value for key, value in detector.state_dict().items()}, path)
    ours = load_finder(Installed(name, path, by_name(name)), CPU)
    path.unlink()
    assert ours.name == name
    theirs = reference_rows(detector, picture)
    (faces,) = found(ours, picture)
    rows = rows_of(faces)
    assert len(theirs) > 5
    assert rows.shape == theirs.shape
    assert np.abs(rows - theirs).max() < 0.5
    assert (np.diff(rows[:, 4]) <= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (33, 1), (7, 3), (16, 16)])
def test_tiny_pictures_have_no_faces(shape: tuple[int, int]) -> None:
    finder = RetinaFaceFinder("any", CPU.settle(RetinaFace("mobile0.25", device="cpu")), CPU)
    assert found(finder, np.full((*shape, 3), 128, np.uint8)) == [[]]


@needs_data
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 40), (33, 1), (7, 3), (16, 16), (1, 3000), (3000, 1)]
)
@pytest.mark.parametrize("name", [MOBILENET, YUNET])
def test_the_real_networks_find_no_faces_in_tiny_pictures(
    name: str, shape: tuple[int, int]
) -> None:
    assert found(real(name), np.full((*shape, 3), 128, np.uint8)) == [[]]


@pytest.fixture(scope="module")
def photos() -> dict[str, Picture]:
    return {name: photo_of(name) for name in FACES_IN}


@pytest.fixture(scope="module")
def mobilenet() -> FaceFinder:
    return real(MOBILENET)


@pytest.fixture(scope="module")
def yunet() -> FaceFinder:
    return real(YUNET)


@needs_data
@pytest.mark.parametrize("name", FACES_IN)
def test_the_real_network_finds_what_facexlib_finds(
    mobilenet: FaceFinder, photos: dict[str, Picture], name: str
) -> None:
    detector = reference.mobilenet_detector(DATA / "weights" / seeded_weights.MOBILENET_FILE)
    theirs = reference_rows(detector, photos[name])
    (faces,) = found(mobilenet, photos[name])
    assert len(faces) == FACES_IN[name]
    assert rows_of(faces).shape == theirs.shape
    assert np.abs(rows_of(faces) - theirs).max() < 0.5
    assert np.abs(rows_of(faces)[:, 4] - theirs[:, 4]).max() < 1e-3


def overlap_of(first: FoundFace, second: FoundFace) -> float:
    """Shared area of two boxes as a share of what both cover."""
    left, top = np.maximum(first.box[:2], second.box[:2])
    right, bottom = np.minimum(first.box[2:], second.box[2:])
    shared = max(right - left, 0) * max(bottom - top, 0)
    areas = [np.prod(face.box[2:] - face.box[:2]) for face in (first, second)]
    return float(shared / (sum(areas) - shared))


@needs_data
@pytest.mark.parametrize("name", FACES_IN)
def test_yunet_finds_the_same_faces(
    mobilenet: FaceFinder, yunet: FaceFinder, photos: dict[str, Picture], name: str
) -> None:
    (faces,), (others,) = found(yunet, photos[name]), found(mobilenet, photos[name])
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


@needs_data
@pytest.mark.parametrize("which", ["mobilenet", "yunet"])
def test_nothing_of_one_picture_is_left_for_the_next(
    which: str, photos: dict[str, Picture], request: pytest.FixtureRequest
) -> None:
    finder = request.getfixturevalue(which)
    small, large = photos["one-face-418x520.jpg"], photos["three-faces-783x1146.png"]
    alone = [found(finder, small)[0], found(finder, large)[0]]
    for ours, other in zip(found(finder, large, small, large), [1, 0, 1], strict=True):
        assert same_faces(ours, alone[other])
    assert found(finder, np.zeros((64, 64, 3), np.uint8)) == [[]]
    assert same_faces(found(finder, small)[0], alone[0])


@needs_data
@pytest.mark.parametrize("which", ["mobilenet", "yunet"])
def test_several_threads_at_once_get_their_own_faces(
    which: str, photos: dict[str, Picture], request: pytest.FixtureRequest
) -> None:
    finder = request.getfixturevalue(which)
    pictures = [photos[name] for name in list(FACES_IN)[:2]]
    pictures += [np.ascontiguousarray(each[:, ::-1]) for each in pictures]
    alone = [found(finder, picture)[0] for picture in pictures]
    together = threading.Barrier(len(pictures))

    def search(picture: Picture) -> list[list[FoundFace]]:
        together.wait(timeout=60)
        return [found(finder, picture)[0] for _ in range(3)]

    with ThreadPoolExecutor(len(pictures)) as pool:
        for expected, answers in zip(alone, pool.map(search, pictures), strict=True):
            assert all(same_faces(answer, expected) for answer in answers)


class Watched(nn.Module):
    """A network that remembers how many pixels it was given."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.pixels: list[int] = []

    def forward(self, inputs: Tensor) -> Any:
        self.pixels.append(inputs.shape[2] * inputs.shape[3])
        return self.network(inputs)


@needs_data
def test_a_large_picture_is_searched_at_a_bounded_size(photos: dict[str, Picture]) -> None:
    photo = photos["two-faces-1297x1920.jpg"]
    large = cv2.resize(photo, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    watched = Watched(reference.mobilenet_detector(DATA / "weights" / seeded_weights.MOBILENET_FILE))
    finder = RetinaFaceFinder("any", watched, CPU)
    faces, others = found(finder, large, photo)
    whole, small = watched.pixels
    assert large.shape[0] * large.shape[1] > 1.3 * MAX_PIXELS
    assert 0.99 * MAX_PIXELS < whole < 1.001 * MAX_PIXELS
    assert small == photo.shape[0] * photo.shape[1]
    expect_same_places(faces, [scaled(face, 1.5) for face in others])


def scaled(face: FoundFace, factor: float) -> FoundFace:
    return FoundFace(face.box * factor, face.landmarks * factor, face.score)


def expect_same_places(faces: list[FoundFace], others: list[FoundFace]) -> None:
    """Two faces, and each of them nearly where the other search has it."""
    assert len(faces) == len(others) == 2
    for face in faces:
        other = max(others, key=lambda each: overlap_of(face, each))
        width = other.box[2] - other.box[0]
        assert np.abs(face.box - other.box).max() < 0.15 * width
        assert np.abs(face.landmarks - other.landmarks).max() < 0.1 * width


@needs_data
@pytest.mark.parametrize("which", ["mobilenet", "yunet"])
def test_a_shrunk_picture_has_its_faces_where_the_whole_one_has_them(
    which: str,
    photos: dict[str, Picture],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finder, picture = request.getfixturevalue(which), photos["two-faces-1297x1920.jpg"]
    monkeypatch.setattr(finders, "YUNET_MAX_SIDE_PX", 1920)
    (whole,) = found(finder, picture)
    monkeypatch.setattr(finders, "YUNET_MAX_SIDE_PX", 700)
    monkeypatch.setattr(finders, "MAX_PIXELS", 500_000)
    (shrunk,) = found(finder, picture)
    expect_same_places(shrunk, whole)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@needs_data
@pytest.mark.parametrize("change", [cut, lambda _: b"garbage" * 99, lambda _: b""])
@pytest.mark.parametrize("name", [MOBILENET, YUNET])
def test_a_damaged_file_is_told(
    tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    known = by_name(name)
    path = tmp_path / known.file
    path.write_bytes(change((DATA / "weights" / known.file).read_bytes()))
    with pytest.raises(WeightsDamaged):
        load_finder(Installed(name, path, known), CPU)


def test_the_file_of_another_backbone_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / by_name(MOBILENET).file
    torch.save({"body.conv1.weight": torch.ones(64, 3, 7, 7)}, path)
    with pytest.raises(WeightsDamaged, match=path.name):
        load_finder(Installed(MOBILENET, path, by_name(MOBILENET)), CPU)
