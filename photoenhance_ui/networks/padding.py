"""Pictures made a little larger for networks that fold pixels."""

import numpy as np

from photoenhance_ui.photo import Pixels


def pad_to_multiple(images: Pixels, multiple: int) -> Pixels:
    """Make both sides divisible by reflecting at the right and lower border.

    Reflecting needs a second row or column; where there is none the only one is repeated.
    """
    short = [-length % multiple for length in images.shape[1:3]]
    if not any(short):
        return images
    padded = images
    for axis, missing in enumerate(short, start=1):
        mode = "reflect" if images.shape[axis] > missing else "edge"
        widths = [(0, missing if each == axis else 0) for each in range(4)]
        padded = np.pad(padded, widths, mode=mode)  # type: ignore[call-overload]
    return padded
