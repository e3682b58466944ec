"""How near two forms of a network are: PSNR in dB, on pictures that every machine has.

What one form gives is compared with what the exact one gives, whichever room computes them.
"""

from collections.abc import Callable, Sequence

import numpy as np

from photoenhance_ui.errors import NetworkFailed
from photoenhance_ui.images.difference import psnr_db
from photoenhance_ui.networks.calibration_pictures import Picture, faces
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import FaceParser, FaceRestorer, Upscaler
from photoenhance_ui.pipeline.faces import soft_mask

MIN_MEAN_DB, MIN_WORST_DB = 40.0, 35.0
"""PSNR between the fast and the exact result: from here on nobody sees a difference."""
MIN_BLENDED_DB = 45.0
"""The worst PSNR between faces blended with a fast parser's mask and with the exact one's."""


def is_near(mean_db: float, worst_db: float) -> bool:
    """Whether a form whose results are so near the exact ones may take their place."""
    return mean_db >= MIN_MEAN_DB and worst_db >= MIN_WORST_DB


# Upscalers


def upscaler_psnr_db(
    exact: Upscaler, fast: Upscaler, denoise: float, pictures: Sequence[Picture]
) -> tuple[float, float]:
    """Mean and worst PSNR in dB between the results of two upscalers, at most MAX_PSNR_DB each.

    Both are 0 where the fast one gives no picture.
    """
    expected = [exact(picture[None], denoise) for picture in pictures]
    return psnr_to_db(expected, lambda picture: fast(picture, denoise), pictures)


def psnr_to_db(
    expected: Sequence[Pixels], fast: Callable[[Pixels], Pixels], pictures: Sequence[Picture]
) -> tuple[float, float]:
    """Mean and worst PSNR in dB between what ``fast`` gives of the pictures and ``expected``.

    Both are 0 where it gives no picture.
    """
    try:
        values = [
            psnr_db(one, fast(picture[None]))
            for one, picture in zip(expected, pictures, strict=True)
        ]
    except NetworkFailed:
        return 0.0, 0.0
    return float(np.mean(values)), min(values)


# Faces


def restorer_psnr_db(exact: FaceRestorer, fast: FaceRestorer) -> tuple[float, float]:
    """Mean and worst PSNR in dB between the faces that two restorers give; see ``psnr_to_db``."""
    return psnr_to_db(restored_faces(exact), fast, faces())


def restored_faces(restorer: FaceRestorer) -> list[Pixels]:
    """What the restorer makes of each of ``faces``."""
    return [restorer(face[None]) for face in faces()]


def parser_psnr_db(exact: FaceParser, fast: FaceParser) -> float:
    """Worst PSNR in dB between what is seen with one parser's masks and with the other's."""
    return min(psnrs_db(blends(exact), blends(fast)))


def psnrs_db(some: Sequence[Picture], others: Sequence[Picture]) -> list[float]:
    """PSNR in dB of each pair of pictures."""
    return [psnr_db(one, other) for one, other in zip(some, others, strict=True)]


def blends(parser: FaceParser) -> list[Picture]:
    """What is seen when the parser's masks of ``faces`` are used."""
    return [_blended(parser, face) for face in faces()]


def _blended(parser: FaceParser, face: Picture) -> Picture:
    """The face with its mirror image laid over it where the parser sees a face.

    The two differ everywhere, so that every pixel of the mask counts.
    """
    mask = soft_mask(parser(face[None])[0])[:, :, None]
    return np.rint(face + mask * (face[:, ::-1].astype(np.float32) - face)).astype(np.uint8)
