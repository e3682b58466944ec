"""Pictures made smaller before faces are looked for."""

import numpy as np
import pytest

from photoenhance_ui.networks.shrinking import shrunk


@pytest.mark.parametrize("factor", [1.0, 3.5])
def test_a_picture_is_never_enlarged(factor: float) -> None:
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    same, used = shrunk(picture, factor)
    assert same is picture
    assert used == 1.0


def test_half_the_size_is_the_mean_of_four_pixels() -> None:
    picture = np.array([[0, 4], [8, 20]], np.uint8)[..., None].repeat(3, axis=2)
    small, used = shrunk(picture, 0.5)
    assert small.tolist() == [[[8, 8, 8]]]
    assert used == 0.5


def test_a_line_stays_a_pixel_wide() -> None:
    small, _ = shrunk(np.zeros((1, 3000, 3), np.uint8), 0.1)
    assert small.shape == (1, 300, 3)
