"""What tests of face detectors share: photos with faces, detectors to compare with, comparisons."""

import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.networks.retinaface import SCORE_THRESHOLD
from photoenhance_ui.pipeline.contracts import DetectedFace
from photoenhance_ui.weights.inventory import Installed

DATA = Path(__file__).parents[3] / "shared" / "data"
MOBILENET, RESNET50 = "detection_mobilenet0.25_Final", "detection_Resnet50_Final"
YUNET = "face_detection_yunet_2023mar"
BACKBONES = {"mobile0.25": MOBILENET, "resnet50": RESNET50}
"""Names of the published files, by what facexlib calls their networks."""
FACES_IN = {
    "one-face-418x520.jpg": 1,
    "two-faces-700x464.jpg": 2,
    "two-faces-1297x1920.jpg": 2,
    "three-faces-783x1146.png": 3,
}
TINY_SHAPES = [(1, 1), (1, 40), (33, 1), (7, 3), (16, 16)]

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="needs the shared real weights and photos"
)
Picture = NDArray[np.uint8]


def published(name: str) -> Installed:
    known = by_name(name)
    return Installed(name, DATA / "weights" / known.file, known)


def photo_of(name: str) -> Picture:
    bgr = cv2.imread(str(DATA / "photos" / name))
    assert bgr is not None
    return np.ascontiguousarray(bgr[..., ::-1], np.uint8)


def of_size(picture: Picture, height: int, width: int) -> Picture:
    return np.asarray(cv2.resize(picture, (width, height)), np.uint8).reshape(height, width, 3)


def facexlib_detector(kind: str) -> Any:
    """facexlib's own detector, with random weights."""
    retinaface = pytest.importorskip("facexlib.detection.retinaface")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # facexlib's old parameter name
        return retinaface.RetinaFace(kind, device="cpu")


def published_detector() -> Any:
    """facexlib's own detector with the real MobileNet-0.25 file."""
    torch = pytest.importorskip("torch")
    detector = facexlib_detector("mobile0.25")
    state = torch.load(published(MOBILENET).path, map_location="cpu", weights_only=True)
    detector.load_state_dict({k.removeprefix("module."): v for k, v in state.items()})
    return detector.eval()


def random_detector(kind: str, picture: Picture) -> Any:
    """facexlib's detector with seeded random weights that find a few faces in the picture."""
    torch = pytest.importorskip("torch")
    from torch import nn

    torch.manual_seed(3)
    detector = facexlib_detector(kind)
    bgr = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1]))
    inputs = bgr.permute(2, 0, 1)[None] - detector.mean_tensor
    norms = [layer for layer in detector.modules() if isinstance(layer, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
            norm.weight.uniform_(0.6, 1.4)
            norm.bias.normal_(0, 0.3)
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


def write_detector(detector: Any, kind: str, folder: Path) -> Installed:
    """The detector's weights in a file in the published form."""
    import torch

    known = by_name(BACKBONES[kind])
    path = folder / known.file
    state = {f"module.{key}": value for key, value in detector.state_dict().items()}
    torch.save(state, path)
    return Installed(known.name, path, known)


def raw_answers(detector: Any, picture: Picture) -> list[NDArray[np.float32]]:
    """Boxes (1, A, 4), landmarks (1, A, 10) and scores (1, A) of facexlib's network in torch."""
    import torch

    bgr = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1]))
    with torch.inference_mode():
        boxes, scores, landmarks = detector(bgr.permute(2, 0, 1)[None] - detector.mean_tensor)
    return [boxes.numpy(), landmarks.numpy(), scores[..., 1].numpy()]


def reference_rows(detector: Any, picture: Picture) -> NDArray[np.float32]:
    """(N, 15) that facexlib finds: box, score, landmarks."""
    import torch

    with torch.no_grad():
        rows = detector.detect_faces(np.ascontiguousarray(picture[..., ::-1]), SCORE_THRESHOLD)
    return np.asarray(rows, np.float32).reshape(-1, 15)


def rows_of(faces: Sequence[DetectedFace]) -> NDArray[np.float32]:
    """(N, 15) in facexlib's order: box, score, landmarks."""
    rows = [[*face.box, face.score, *face.landmarks.reshape(-1)] for face in faces]
    return np.array(rows, np.float32).reshape(len(rows), 15)


def same_faces(ours: Sequence[DetectedFace], others: Sequence[DetectedFace]) -> bool:
    return np.array_equal(rows_of(ours), rows_of(others))


def overlap_of(first: DetectedFace, second: DetectedFace) -> float:
    """Shared area of two boxes as a share of what both cover."""
    left, top = np.maximum(first.box[:2], second.box[:2])
    right, bottom = np.minimum(first.box[2:], second.box[2:])
    shared = max(right - left, 0) * max(bottom - top, 0)
    areas = [np.prod(face.box[2:] - face.box[:2]) for face in (first, second)]
    return float(shared / (sum(areas) - shared))


def expect_same_places(faces: Sequence[DetectedFace], others: Sequence[DetectedFace]) -> None:
    """Two faces, and each of them nearly where the other search has it."""
    assert len(faces) == len(others) == 2
    for face in faces:
        other = max(others, key=lambda each: overlap_of(face, each))
        width = other.box[2] - other.box[0]
        assert np.abs(face.box - other.box).max() < 0.15 * width
        assert np.abs(face.landmarks - other.landmarks).max() < 0.1 * width


def expect_found_by_several_threads(detector: Any, pictures: Sequence[Picture]) -> None:
    """Each of several threads at once is given the faces of its own picture."""
    alone = [detector([picture])[0] for picture in pictures]
    together = threading.Barrier(len(pictures))

    def search(picture: Picture) -> list[list[DetectedFace]]:
        together.wait(timeout=60)
        return [detector([picture])[0] for _ in range(3)]

    with ThreadPoolExecutor(len(pictures)) as pool:
        for expected, answers in zip(alone, pool.map(search, pictures), strict=True):
            assert all(same_faces(answer, expected) for answer in answers)


def expect_nothing_left(detector: Any, small: Picture, large: Picture) -> None:
    """A picture's faces are the same after any other picture."""
    alone = [detector([small])[0], detector([large])[0]]
    for ours, other in zip(detector([large, small, large]), [1, 0, 1], strict=True):
        assert same_faces(ours, alone[other])
    assert detector([np.zeros((64, 64, 3), np.uint8)]) == [[]]
    assert same_faces(detector([small])[0], alone[0])
