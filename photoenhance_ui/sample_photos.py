"""Photos that every machine has, because scikit-image brings them; free to use.

They are read as files, because importing scikit-image for them takes 40 MB and a third of a second.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILES = {
    "astronaut": "astronaut.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "immunohistochemistry": "ihc.png",
    "page": "page.png",
    "rocket": "rocket.jpg",
}
"""By the names of ``skimage.data``'s functions."""


def sample_photo(name: str) -> NDArray[np.uint8]:
    """The photo that ``skimage.data`` has under that name: (H, W, 3), or (H, W) if it is gray."""
    found = find_spec("skimage")
    assert found is not None and found.submodule_search_locations is not None
    path = Path(found.submodule_search_locations[0]) / "data" / FILES[name]
    with Image.open(path) as image:
        return np.asarray(image).copy()
