"""The layers of finished photos, kept on disk: faces can be blended anew without the networks.

Beside a batch's results lie, for each photo, what was enlarged without its faces (lossless), and
the restored faces with all that blending needs. They go with the batch.
"""

import logging
import os
import shutil
import uuid
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.geometry import Region, Size
from photoenhance_ui.photo import Photo, Pixels
from photoenhance_ui.pipeline.contracts import DetectedFace
from photoenhance_ui.pipeline.enhancer import Enhanced
from photoenhance_ui.pipeline.faces import RestoredFace

log = logging.getLogger(__name__)

MAX_BYTES = 2_000_000_000
"""What the layers of one batch take; those of photos beyond it are not kept."""
BACKGROUND, FACES = "pixels.kept", "faces.kept"
"""Names that nothing shows in a browser: a PNG with red and blue exchanged, and an NPZ."""
_DAMAGE = (OSError, ValueError, KeyError, BadZipFile, zlib.error, cv2.error)


@dataclass(frozen=True)
class FaceLayer:
    """A restored face: its box in pixels of the upright original, and how much of it is seen."""

    box: Region
    strength: float
    """0 (left as it was) to 1."""


class FaceLayers:
    """The layers of one batch's photos, in a folder of their own."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def put(self, photo_id: str, enhanced: Enhanced) -> bool:
        """Keep a photo's layers whole; False where that is impossible."""
        part = self._folder / f".{uuid.uuid4().hex}.part"
        try:
            part.mkdir(parents=True)
            (part / BACKGROUND).write_bytes(_as_png(enhanced.background, enhanced.alpha))
            with (part / FACES).open("wb") as file:
                np.savez_compressed(file, **_as_arrays(enhanced))  # type: ignore[arg-type]
            if self._used_bytes() > self._max_bytes:
                return False
            shutil.rmtree(self._folder / photo_id, ignore_errors=True)  # of an attempt that failed
            part.replace(self._folder / photo_id)
        except (OSError, MemoryError, cv2.error) as error:
            log.warning("layers_not_kept photo=%s reason=%s", photo_id, type(error).__name__)
            return False
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return True

    def get(self, photo_id: str, source: Photo) -> Enhanced | None:
        """The layers of the photo that was read from the same file as ``source``; None without."""
        folder = self._folder / photo_id
        try:
            background, alpha = _from_png((folder / BACKGROUND).read_bytes())
            with np.load(folder / FACES, allow_pickle=False) as arrays:
                return Enhanced(source, background, alpha, _faces(arrays), float(arrays["scale"]))
        except _DAMAGE:
            return None

    def boxes(self, photo_id: str) -> tuple[Region, ...]:
        """Where the photo's restored faces are, in pixels of the original."""
        try:
            with np.load(self._folder / photo_id / FACES, allow_pickle=False) as arrays:
                width, height = (int(side) for side in arrays["size"])
                return tuple(_region(box, Size(width, height)) for box in arrays["boxes"])
        except _DAMAGE:
            return ()

    def _used_bytes(self) -> int:
        used = 0
        for folder, _, names in os.walk(self._folder):
            for name in names:
                with suppress(FileNotFoundError):  # another photo's, renamed just now
                    used += (Path(folder) / name).stat().st_size
        return used


def _as_png(background: Pixels, alpha: Pixels | None) -> memoryview:
    # OpenCV takes blue first. Exchanging them would need the room of the picture once more.
    picture = background if alpha is None else np.dstack([background, alpha])
    quickly = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(picture), quickly)
    return encoded.data  # a copy would be a large photo's hundred megabytes


def _from_png(encoded: bytes) -> tuple[Pixels, Pixels | None]:
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("no picture")
    background = np.ascontiguousarray(decoded[..., :3])
    alpha = np.ascontiguousarray(decoded[..., 3]) if decoded.shape[2] == 4 else None
    return background, alpha  # type: ignore[return-value]


def _as_arrays(enhanced: Enhanced) -> dict[str, NDArray[np.generic]]:
    """All faces, array by array; a mask is there for every face or for none."""
    faces, size = enhanced.faces, enhanced.photo.size
    arrays: dict[str, NDArray[np.generic]] = {
        "scale": np.array(enhanced.scale, np.float64),
        "size": np.array([size.width, size.height]),
        "boxes": np.array([face.detected.box for face in faces], np.float32).reshape(-1, 4),
        "landmarks": np.array([face.detected.landmarks for face in faces], np.float32),
        "scores": np.array([face.detected.score for face in faces], np.float64),
        "matrices": np.array([face.matrix for face in faces], np.float64),
        "restored": np.array([face.restored for face in faces], enhanced.background.dtype),
    }
    masks = [face.mask for face in faces if face.mask is not None]
    if masks:
        arrays["masks"] = np.array(masks, np.float32)
    return arrays


def _faces(arrays: "np.lib.npyio.NpzFile") -> tuple[RestoredFace, ...]:
    matrices, restored = arrays["matrices"], arrays["restored"]
    masks = arrays["masks"] if "masks" in arrays else [None] * len(matrices)
    found = zip(arrays["boxes"], arrays["landmarks"], arrays["scores"], strict=True)
    return tuple(
        RestoredFace(DetectedFace(box, landmarks, float(score)), matrix, pixels, mask)
        for (box, landmarks, score), matrix, pixels, mask in zip(
            found, matrices, restored, masks, strict=True
        )
    )


def _region(box: NDArray[np.float32], size: Size) -> Region:
    """The box in whole pixels, inside the picture, at least one a side."""
    left, top, right, bottom = (float(side) for side in box)
    x, y = int(np.clip(left, 0, size.width - 1)), int(np.clip(top, 0, size.height - 1))
    end_x = int(np.clip(np.ceil(right), x + 1, size.width))
    end_y = int(np.clip(np.ceil(bottom), y + 1, size.height))
    return Region(x, y, end_x - x, end_y - y)
