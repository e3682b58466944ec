"""Pictures are padded right and below, by what lies beside the border."""

import numpy as np
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from photoenhance_ui.networks.padding import pad_to_multiple


@examples(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 8))
def test_padding_adds_the_least_and_changes_nothing(height: int, width: int, multiple: int) -> None:
    pictures = np.arange(2 * height * width * 3, dtype=np.uint16).reshape(2, height, width, 3)
    padded = pad_to_multiple(pictures, multiple)
    for side, before in zip(padded.shape[1:3], (height, width), strict=True):
        assert side % multiple == 0
        assert 0 <= side - before < multiple
    assert np.array_equal(padded[:, :height, :width], pictures)
    assert np.isin(padded, pictures).all()
    if (height, width) == padded.shape[1:3]:
        assert padded is pictures


def test_padding_mirrors_where_there_is_enough_to_mirror() -> None:
    row = np.arange(1, 6, dtype=np.uint8).reshape(1, 1, 5, 1).repeat(3, axis=3)
    assert pad_to_multiple(row, 8)[0, 0, :, 0].tolist() == [1, 2, 3, 4, 5, 4, 3, 2]
    assert pad_to_multiple(row[:, :, :2], 8)[0, 0, :, 0].tolist() == [1, 2, 2, 2, 2, 2, 2, 2]
