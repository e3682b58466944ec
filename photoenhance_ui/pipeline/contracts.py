"""What a photo's steps ask of networks, and what networks answer: arrays only, in batches.

Both sides import this module and neither imports the other: the steps yield ``Work`` without
knowing what computes it, and a network computes without knowing what its answer is for.

Every array that crosses is an integer picture (uint8 0..255 or uint16 0..65535, RGB, channels
last), so that the device gets and gives as few bytes as possible; what comes out has the depth
of what went in. Implementations hold nothing of one picture between calls, may be called from
any thread one at a time, and raise only ``MemoryExhausted`` or ``NetworkFailed``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.catalogue import Role
from photoenhance_ui.photo import Pixels

FACE_PX = 512
"""Side of an aligned face, in pixels: what GFPGAN and the parsers were trained on."""


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """A face in pixels of the picture it was found in.

    ``box`` is (4,) left, top, right, bottom; ``landmarks`` is (5, 2) x, y of the left eye, right
    eye, nose, left and right corner of the mouth (left as seen in the picture); ``score`` 0..1.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float


class Upscaler(Protocol):
    """Enlarges pictures by a whole factor."""

    name: str
    scale: int

    @property
    def operations_per_pixel(self) -> float:
        """About how many multiply-adds each pixel of the photo costs."""
        ...

    @property
    def receptive_px(self) -> int | None:
        """How far around a pixel its result depends on the photo; None: nobody knows."""
        ...

    @property
    def is_blended(self) -> bool:
        """Whether ``denoise`` has an effect."""
        ...

    def __call__(self, images: Pixels, denoise: float) -> Pixels:
        """(N, H, W, 3) -> (N, H*scale, W*scale, 3). ``denoise`` 0..1, used where it can be."""
        ...


class FaceDetector(Protocol):
    """Finds faces and their five landmarks."""

    name: str

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[list[DetectedFace]]:
        """Each (H, W, 3) uint8 -> the faces in it, best score first."""
        ...


class FaceRestorer(Protocol):
    """Restores aligned faces."""

    name: str

    def __call__(self, faces: Pixels) -> Pixels:
        """(N, 512, 512, 3) -> (N, 512, 512, 3)."""
        ...


class FaceParser(Protocol):
    """Tells which pixels of an aligned face belong to the face."""

    name: str

    def __call__(self, faces: Pixels) -> NDArray[np.uint8]:
        """(N, 512, 512, 3) -> (N, 512, 512), 255 where face, 0 elsewhere (no blur)."""
        ...


@dataclass(frozen=True, eq=False)
class Work:
    """Something that the enhancer wants computed; it is sent the outputs.

    ``inputs`` is what the network's ``__call__`` takes first, and the answer is what it gives.
    """

    role: Role
    network: str
    inputs: Any
    denoise: float = 0.0
