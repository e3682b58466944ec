from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from photoenhance_ui.geometry import Size
from photoenhance_ui.photo import Metadata, Photo, white_of


def photo_of(dtype: type = np.uint8) -> Photo:
    return Photo(
        np.zeros((2, 3, 3), dtype),
        "照片.png",
        "PNG",
        alpha=np.ones((2, 3), dtype),
        monochrome=True,
        one_channel=True,
        metadata=Metadata(exif=b"exif"),
    )


def test_the_size_is_width_by_height() -> None:
    assert photo_of().size == Size(3, 2)


@pytest.mark.parametrize(("dtype", "bits", "white"), [(np.uint8, 8, 255), (np.uint16, 16, 65535)])
def test_the_depth_is_that_of_the_pixels(dtype: type, bits: int, white: int) -> None:
    photo = photo_of(dtype)
    assert photo.depth_bits == bits
    assert white_of(photo.pixels) == white


def test_other_pixels_leave_everything_else_as_it_was() -> None:
    photo = photo_of()
    larger, alpha = np.zeros((4, 6, 3), np.uint16), np.zeros((4, 6), np.uint16)
    other = photo.with_pixels(larger, alpha)
    assert other.pixels is larger
    assert other.alpha is alpha
    assert other.size == Size(6, 4)
    assert photo.size == Size(3, 2)
    for name in ("name", "file_format", "monochrome", "one_channel", "metadata"):
        assert getattr(other, name) == getattr(photo, name)


def test_transparency_can_be_left_out() -> None:
    assert photo_of().with_pixels(np.zeros((4, 6, 3), np.uint8), None).alpha is None


def test_a_bare_photo_is_opaque_coloured_and_carries_nothing() -> None:
    photo = Photo(np.zeros((2, 3, 3), np.uint8), "a.png", "PNG")
    assert (photo.alpha, photo.monochrome, photo.one_channel) == (None, False, False)
    assert photo.metadata == Metadata(icc_profile=None, exif=None, xmp=None, dpi=None)


def test_a_photo_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        photo_of().name = "other.png"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Metadata().exif = b"exif"  # type: ignore[misc]
