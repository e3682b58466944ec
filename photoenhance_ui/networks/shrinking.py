"""Pictures made smaller before faces are looked for."""

import cv2
import numpy as np
from numpy.typing import NDArray


def shrunk(picture: NDArray[np.uint8], factor: float) -> tuple[NDArray[np.uint8], float]:
    """The (H, W, 3) picture with its sides multiplied by ``factor`` where that is below 1.

    Also gives the factor that was used: what is found there lies at its places divided by it.
    """
    if factor >= 1:
        return picture, 1.0
    height, width = picture.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8), factor
