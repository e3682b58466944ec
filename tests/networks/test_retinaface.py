"""RetinaFace's answers become the faces that facexlib and torchvision make of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray

from photoenhance_ui.networks import retinaface
from photoenhance_ui.networks.retinaface import (
    MAX_PIXELS,
    OVERLAP_THRESHOLD,
    Answers,
    anchors_for,
    decoded_boxes,
    decoded_landmarks,
    distinct,
    faces_of,
    find_faces,
)

sides = st.integers(1, 150)


def random_answers(count: int, seed: int = 1) -> Answers:
    chance = np.random.default_rng(seed)
    boxes, landmarks = (chance.normal(0, 1, (count, n)).astype(np.float32) for n in (4, 10))
    return Answers(boxes, landmarks, chance.uniform(0, 1, count).astype(np.float32))


@examples(deadline=None)
@given(sides, sides)
def test_anchors_are_those_of_facexlib(height: int, width: int) -> None:
    utils = pytest.importorskip("facexlib.detection.retinaface_utils")
    config = {
        "min_sizes": [[16, 32], [64, 128], [256, 512]], "steps": [8, 16, 32], "clip": False,
    }  # fmt: skip
    theirs = utils.PriorBox(config, image_size=(height, width)).forward()
    assert np.array_equal(anchors_for(height, width), theirs.numpy())


@examples(deadline=None)
@given(sides, sides)
def test_answers_are_decoded_as_by_facexlib(height: int, width: int) -> None:
    utils = pytest.importorskip("facexlib.detection.retinaface_utils")
    import torch

    anchors = anchors_for(height, width)
    answers = random_answers(len(anchors), seed=height * width)
    offsets, points, priors = map(torch.from_numpy, (answers.boxes, answers.landmarks, anchors))
    boxes = utils.decode(offsets, priors, (0.1, 0.2)).numpy()
    landmarks = utils.decode_landm(points, priors, (0.1, 0.2)).numpy()
    np.testing.assert_allclose(decoded_boxes(answers.boxes, anchors), boxes, 1e-5, 1e-5 * 512)
    ours = decoded_landmarks(answers.landmarks, anchors).reshape(-1, 10)
    np.testing.assert_allclose(ours, landmarks, 1e-5, 1e-5 * 512)


quarters = st.integers(0, 80).map(lambda number: number / 4)
places = st.lists(st.tuples(quarters, quarters, quarters, quarters, st.integers(0, 5)), max_size=40)


@examples(deadline=None)
@given(places, st.sampled_from([0.2, OVERLAP_THRESHOLD, 0.5]))
def test_the_same_boxes_stay_as_by_torchvision(
    places: list[tuple[float, float, float, float, int]], overlap: float
) -> None:
    """Also those that share just the threshold, that have equal scores, or that have no area."""
    torchvision = pytest.importorskip("torchvision")
    import torch

    numbers = np.array(places, np.float32).reshape(-1, 5)
    boxes = np.concatenate([numbers[:, :2], numbers[:, :2] + numbers[:, 2:4]], axis=1)
    scores = np.ascontiguousarray(numbers[:, 4])
    theirs = torchvision.ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), overlap)
    assert distinct(boxes, scores, overlap) == theirs.tolist()


def test_a_share_of_just_the_threshold_is_compared_as_torchvision_does() -> None:
    """Two fifths in 32 bits are a little more than 0.4."""
    boxes = np.array([[0, 0, 4, 1], [2, 0, 5, 1], [20, 0, 24, 1]], np.float32)
    assert distinct(boxes, np.array([0.8, 0.9, 1], np.float32), 0.4) == [2, 1]


def test_faces_are_sure_apart_and_the_best_first() -> None:
    anchors = anchors_for(64, 64)
    answers = Answers(
        np.zeros((len(anchors), 4), np.float32),
        np.zeros((len(anchors), 10), np.float32),
        np.zeros(len(anchors), np.float32),
    )
    for index, score in ((0, 0.5), (1, 0.98), (3, 0.975), (40, 0.99)):
        answers.scores[index] = score
    faces = faces_of(answers, 64, 64)
    assert [round(face.score, 3) for face in faces] == [0.99, 0.98]  # one overlaps the second
    # The second anchor: 32 pixels wide around the middle of the first 8x8 pixels.
    assert faces[1].box.tolist() == [-12, -12, 20, 20]
    assert faces[1].landmarks.tolist() == [[4, 4]] * 5
    assert faces[1].box.dtype == faces[1].landmarks.dtype == np.float32
    (_, half) = faces_of(answers, 64, 64, factor=0.5)
    assert half.box.tolist() == [-24, -24, 40, 40]


def test_answers_that_are_no_numbers_are_no_faces() -> None:
    nothing = random_answers(len(anchors_for(8, 8)))
    nothing.scores[:] = np.nan
    assert faces_of(nothing, 8, 8) == []
    wild = random_answers(len(anchors_for(8, 8)))
    wild.scores[:] = 1
    wild.boxes[:] *= np.float32(1e4)  # e to the power of it is more than a number holds
    assert faces_of(wild, 8, 8), "nothing was raised"


class Watching:
    """Answers that there is nothing, and remembers what it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, picture: NDArray[np.uint8]) -> Answers:
        self.shapes.append(picture.shape)
        answers = random_answers(len(anchors_for(*picture.shape[:2])))
        answers.scores[:] = 0
        return answers


def test_a_large_picture_is_searched_at_a_bounded_size() -> None:
    network = Watching()
    for shape in ((2000, 3000, 3), (1999, 2000, 3)):
        assert find_faces(network, np.zeros(shape, np.uint8)) == []
    (height, width, _), small = network.shapes
    assert 0.99 * MAX_PIXELS < height * width < 1.001 * MAX_PIXELS
    assert small == (1999, 2000, 3)


def test_a_face_in_a_shrunk_picture_lies_where_the_whole_one_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sees_the_first_anchor(picture: NDArray[np.uint8]) -> Answers:
        answers = Watching()(picture)
        answers.scores[0] = 1
        answers.boxes[0], answers.landmarks[0] = 0, 0
        return answers

    monkeypatch.setattr(retinaface, "MAX_PIXELS", 64 * 64)
    (face,) = find_faces(sees_the_first_anchor, np.zeros((128, 128, 3), np.uint8))
    assert face.box.tolist() == [-8, -8, 24, 24]
