"""YuNet (Wu et al., 2023), a small face detector, and OpenCV as what computes it."""

import threading
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.architectures import entry_of
from photoenhance_ui.networks.interfaces import ExactOnly
from photoenhance_ui.networks.shrinking import shrunk
from photoenhance_ui.pipeline.contracts import DetectedFace
from photoenhance_ui.weights.inventory import Installed

SCORE_THRESHOLD = 0.8
OVERLAP_THRESHOLD = 0.3
MAX_SIDE_PX = 1280  # YuNet was trained on faces of 10 to 300 pixels


class YuNetDetector:
    """YuNet from its file. OpenCV's detector holds a picture's size, so one is searched at a time.

    Raises WeightsDamaged where OpenCV cannot read the file.
    """

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self._one_at_a_time = threading.Lock()
        try:
            self._detector = cv2.FaceDetectorYN.create(
                path, "", (320, 320), SCORE_THRESHOLD, OVERLAP_THRESHOLD
            )
        except cv2.error as error:
            raise WeightsDamaged(f"The file of {name} is damaged. Download it again.") from error

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[list[DetectedFace]]:
        """Each (H, W, 3) uint8 RGB -> its faces, best score first."""
        return [self._find(image) for image in images]

    def _find(self, image: NDArray[np.uint8]) -> list[DetectedFace]:
        small, factor = shrunk(image, MAX_SIDE_PX / max(image.shape[:2]))
        with self._one_at_a_time:
            self._detector.setInputSize((small.shape[1], small.shape[0]))
            _, rows = self._detector.detect(np.ascontiguousarray(small[..., ::-1]))
        if rows is None:
            return []
        faces = [_face_of_row(row.astype(np.float32), factor) for row in rows]
        return sorted(faces, key=lambda face: -face.score)


def _face_of_row(row: NDArray[np.float32], factor: float) -> DetectedFace:
    """Make a face of x, y, width, height, five points and a score.

    The points begin with the person's right eye, which is the left one as seen in the picture.
    """
    x, y, width, height = row[:4]
    box = np.array([x, y, x + width, y + height], np.float32) / factor
    return DetectedFace(box, row[4:14].reshape(5, 2) / factor, float(row[14]))


class OpenCvBackend:
    """OpenCV as a way of computing networks: it has a reader of YuNet's file."""

    def load(self, found: Installed, companion: Installed | None) -> ExactOnly:  # noqa: ARG002 - Backend
        """YuNet of an installed file. Raises ArchitectureUnknown and WeightsDamaged."""
        make = entry_of(DETECTORS, found.architecture)
        return ExactOnly(make(found.name, str(found.path)))

    def stop(self) -> None:
        """Nothing is measured."""


DETECTORS: Mapping[Architecture, Callable[[str, str], YuNetDetector]] = {
    Architecture.YUNET: YuNetDetector,
}
"""What OpenCV can compute, made of a name and the path of a file."""
