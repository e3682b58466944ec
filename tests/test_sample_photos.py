"""The photos that every machine has are those of scikit-image."""

import subprocess
import sys

import numpy as np
import pytest

from photoenhance_ui.sample_photos import FILES, sample_photo
from photoenhance_ui.settings import PROJECT_DIR


@pytest.mark.parametrize("name", FILES)
def test_a_photo_is_the_one_of_that_name(name: str) -> None:
    from skimage import data

    photo = sample_photo(name)
    assert photo.dtype == np.uint8
    assert np.array_equal(photo, getattr(data, name)())
    photo[:] = 0  # its own


def test_scikit_image_is_not_imported_for_it() -> None:
    code = (
        "import sys\nfrom photoenhance_ui.sample_photos import sample_photo\n"
        "sample_photo('coffee')\nassert not {'skimage', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT_DIR, check=True, timeout=60)
