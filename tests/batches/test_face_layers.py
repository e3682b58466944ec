"""What is kept of a finished photo gives the same pixels again, and no more than its room."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photoenhance_ui.batches.face_layers import FACES, FaceLayers
from photoenhance_ui.geometry import Region
from photoenhance_ui.pipeline.enhancer import Enhanced, blend
from photoenhance_ui.request import Request
from testing.by_hand import TWO, StandIns, driven, face_at, photo_of, plan_of

WITH_FACES = Request(upscaler="upscaler")


def enhanced_of(
    dtype: type = np.uint8, parser: str | None = "parser", *, alpha: bool = False, faces=TWO
) -> Enhanced:
    photo = photo_of(dtype=dtype)
    if alpha:
        photo = replace(photo, alpha=np.ascontiguousarray(photo.pixels[..., 1]))
    return driven(photo, plan_of(photo, WITH_FACES, parser=parser), StandIns(faces=faces)).enhanced


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("parser", ["parser", None])
@pytest.mark.parametrize("alpha", [True, False])
def test_the_kept_parts_blend_as_the_first_ones(
    tmp_path: Path, dtype: type, parser: str | None, alpha: bool
) -> None:
    first = enhanced_of(dtype, parser, alpha=alpha)
    kept = FaceLayers(tmp_path / "kept")
    assert kept.put("1", first)
    again = kept.get("1", first.photo)
    assert again is not None
    for strengths in ((0.8, 0.8), (0.0, 1.0)):
        one, other = blend(first, strengths), blend(again, strengths)
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.pixels.dtype == other.pixels.dtype
        np.testing.assert_array_equal(one.alpha, other.alpha)


def test_boxes_are_whole_pixels_inside_the_photo(tmp_path: Path) -> None:
    faces = (face_at(2.5, 5.25), replace(face_at(40, 20), box=np.array([-9, 44, 90, 99])))
    kept = FaceLayers(tmp_path)
    kept.put("1", enhanced_of(faces=faces))
    assert kept.boxes("1") == (Region(2, 5, 31, 31), Region(0, 44, 70, 6))


def test_a_photo_without_faces_keeps_its_background(tmp_path: Path) -> None:
    first = enhanced_of(faces=())
    kept = FaceLayers(tmp_path)
    kept.put("1", first)
    again = kept.get("1", first.photo)
    assert again is not None
    np.testing.assert_array_equal(again.background, first.background)
    assert again.faces == kept.boxes("1") == ()


def test_what_is_not_there_or_damaged_is_not_given(tmp_path: Path) -> None:
    first = enhanced_of()
    kept = FaceLayers(tmp_path)
    assert kept.get("1", first.photo) is None
    assert kept.boxes("1") == ()
    kept.put("1", first)
    path = tmp_path / "1" / FACES
    whole = path.read_bytes()
    boxes = whole.index(b"boxes.npy") + len(b"boxes.npy")
    extra = int.from_bytes(whole[boxes - 11 : boxes - 9], "little")
    no_block = whole[: boxes + extra] + b"\xff" + whole[boxes + extra + 1 :]
    for damaged in (whole[:1000], no_block):
        path.write_bytes(damaged)
        assert kept.get("1", first.photo) is None
        assert kept.boxes("1") == ()


def test_without_room_nothing_is_kept_and_nothing_is_left_behind(tmp_path: Path) -> None:
    first = enhanced_of()
    kept = FaceLayers(tmp_path, max_bytes=1_000)
    assert not kept.put("1", first)
    assert kept.get("1", first.photo) is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    assert not FaceLayers(tmp_path / "file").put("1", first)  # a disk that cannot be written


def test_nothing_that_is_kept_looks_like_a_picture(tmp_path: Path) -> None:
    FaceLayers(tmp_path).put("1", enhanced_of())
    assert {path.suffix for path in (tmp_path / "1").iterdir()} == {".kept"}
