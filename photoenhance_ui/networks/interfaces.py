"""The contracts of the networks: batches in, batches out, arrays only.

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
from photoenhance_ui.weights import Installed

FACE_PX = 512
"""Side of an aligned face, in pixels: what GFPGAN and the parsers were trained on."""


@dataclass(frozen=True, eq=False)
class FoundFace:
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


class FaceFinder(Protocol):
    """Finds faces and their five landmarks."""

    name: str

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> list[list[FoundFace]]:
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


class Backend(Protocol):
    """Computes networks in one way: by OpenVINO, by torch, by OpenCV.

    What it gives are networks of the four roles above; ``exact`` is one that it gave itself.
    """

    def load(self, found: Installed, companion: Installed | None) -> Any | None:
        """The network of a file in 32 bits; None where its architecture is unknown here.

        Raises WeightsDamaged where the file's weights are not those of its network.
        """
        ...

    def fast_form(self, exact: Any, denoise: float) -> str | None:
        """The fastest form of the network that is measured to be near enough; None: there is none.

        Measured now where it never was on this machine, which takes seconds to minutes.
        """
        ...

    def in_fast_form(self, exact: Any) -> Any:
        """The same network in its fastest form."""
        ...

    def confirm(self, exact: Any) -> bool:
        """Measure what was only assumed of the network's fast form; False where it was not so."""
        ...

    def stop(self) -> None:
        """Give up what is being measured: EngineStopped for who waits for it."""
        ...

    def release_memory(self, network: Any) -> None:
        """Let go of what the network holds between calls; its next call takes it anew."""
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
