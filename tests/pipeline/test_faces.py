"""Faces as geometry, beside plain arithmetic on the whole canvas in 64-bit floats."""

from dataclasses import replace
from functools import cache, partial
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from photoenhance_ui.geometry import Size
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import FACE_PX, DetectedFace
from photoenhance_ui.pipeline.faces import (
    BORDER_RGB,
    MASK_BORDER_PX,
    MIN_EYE_DISTANCE_PX,
    TEMPLATE,
    Mask,
    Matrix,
    RestoredFace,
    aligned,
    alignment,
    chosen,
    pasted,
    region_of,
    soft_mask,
    way_back,
)
from photoenhance_ui.request import Faces
from testing.photos import skimage_photo

Exact = NDArray[np.float64]

unhurried = partial(settings, deadline=None)  # OpenCV's first calls take their time

CANVAS = Size(160, 120)
PICTURE = Size(240, 180)


# What the tests are made of


def similarity(width: float, degrees: float, x: float, y: float) -> Matrix:
    """The map that lays the aligned square on a picture: its width, its turn and its middle."""
    turned = cv2.getRotationMatrix2D((FACE_PX / 2, FACE_PX / 2), degrees, width / FACE_PX)
    turned[:, 2] += np.array([x, y]) - FACE_PX / 2
    return np.asarray(turned, np.float64)


def moved(points: Exact, matrix: Matrix) -> Exact:
    return np.c_[points, np.ones(len(points))] @ matrix.T


def face_with(
    landmarks: NDArray[np.floating], box: tuple[float, float, float, float] = (0, 0, 99, 99)
) -> DetectedFace:
    return DetectedFace(np.array(box, np.float32), landmarks.astype(np.float32), 0.9)


def face_in_box(
    left: float, top: float, right: float, bottom: float, eyes: float = 20
) -> DetectedFace:
    landmarks = TEMPLATE * (eyes / np.hypot(*(TEMPLATE[0] - TEMPLATE[1])))
    return face_with(landmarks, (left, top, right, bottom))


@cache
def portrait(dtype: type = np.uint8) -> Pixels:
    """A restored face: smooth, with all tones, (512, 512, 3)."""
    large = cv2.resize(skimage_photo("astronaut")[0:220, 110:330], (FACE_PX, FACE_PX))
    return large.astype(dtype) * dtype(np.iinfo(dtype).max // 255)


@cache
def noise(size: Size, dtype: type = np.uint8) -> Pixels:
    """A background on which any touched pixel shows."""
    levels = np.random.default_rng(1).integers(0, 256, (size.height, size.width, 3))
    return levels.astype(dtype) * dtype(np.iinfo(dtype).max // 255)


def oval() -> NDArray[np.uint8]:
    """What a parser gives: 255 where face."""
    is_face = np.zeros((FACE_PX, FACE_PX), np.uint8)
    cv2.ellipse(is_face, (256, 280), (160, 200), 0, 0, 360, 255, -1)
    return is_face


SOFT_OVAL = soft_mask(oval())


def restored_face(
    back: Matrix, mask: Mask | None = SOFT_OVAL, dtype: type = np.uint8, scale: float = 1.0
) -> RestoredFace:
    """A restored face that lies as ``back`` says on the picture enlarged by ``scale``."""
    on_photo = back.copy()
    on_photo[:, 2] -= 0.5 * scale if scale > 1 else 0
    matrix = np.asarray(cv2.invertAffineTransform(on_photo / scale), np.float64)
    np.testing.assert_allclose(way_back(matrix, scale), back, atol=1e-9)
    return RestoredFace(face_with(TEMPLATE), matrix, portrait(dtype), mask)


def result_of(
    background: Pixels, face: RestoredFace, strength: float, scale: float = 1.0
) -> Pixels:
    pixels = background.copy()
    pasted(pixels, face, scale, strength)
    return pixels


# The same, naively


def naively_warped(picture: Exact, matrix: Matrix, size: Size) -> Exact:
    """Bilinear on the whole canvas, zero outside the picture; no OpenCV."""
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    y, x = np.mgrid[: size.height, : size.width]
    across, down, _ = np.tensordot(back, np.stack([x, y, np.ones_like(x)]), 1)
    padded = np.pad(picture, [(1, 2), (1, 2)] + [(0, 0)] * (picture.ndim - 2))
    across, down = np.clip(across, -1, FACE_PX) + 1, np.clip(down, -1, FACE_PX) + 1
    left, top = np.floor(across).astype(int), np.floor(down).astype(int)
    to_right, to_bottom = across - left, down - top
    if picture.ndim == 3:
        to_right, to_bottom = to_right[..., None], to_bottom[..., None]
    upper = padded[top, left] * (1 - to_right) + padded[top, left + 1] * to_right
    lower = padded[top + 1, left] * (1 - to_right) + padded[top + 1, left + 1] * to_right
    return upper * (1 - to_bottom) + lower * to_bottom


def naive_square_mask(matrix: Matrix, size: Size, scale: float) -> Exact:
    """The lines of facexlib's paste_faces_to_input_image without a parser, on the whole canvas."""
    whole = naively_warped(np.ones((FACE_PX, FACE_PX)), matrix, size)
    eroded = cv2.erode(whole, np.ones((int(2 * scale), int(2 * scale)), np.uint8))
    edge = int(np.sum(eroded) ** 0.5) // 20
    centre = cv2.erode(eroded, np.ones((edge * 2, edge * 2), np.uint8))
    return np.asarray(cv2.GaussianBlur(centre, (edge * 2 + 1, edge * 2 + 1), 0))


def naively_pasted(
    background: Pixels, face: RestoredFace, strength: float, scale: float = 1.0
) -> Exact:
    size = Size(background.shape[1], background.shape[0])
    back = way_back(face.matrix, scale)
    restored = naively_warped(face.restored.astype(float), back, size)
    if face.mask is None:
        mask = naive_square_mask(back, size, scale)
    else:
        mask = naively_warped(face.mask.astype(float), back, size)
    weight = strength * mask[..., None]
    return np.rint((1 - weight) * background + weight * restored)


def apart(ours: Pixels, theirs: Exact) -> float:
    return float(np.abs(ours.astype(float) - theirs).max())


# Alignment


@unhurried()
@given(
    width=st.floats(40, 2000),
    degrees=st.floats(-180, 180),
    x=st.floats(-500, 4000),
    y=st.floats(-500, 4000),
)
def test_alignment_takes_the_landmarks_to_the_template(
    width: float, degrees: float, x: float, y: float
) -> None:
    back = similarity(width, degrees, x, y)
    face = face_with(moved(TEMPLATE, back))
    matrix = alignment(face)
    assert matrix is not None
    np.testing.assert_allclose(moved(face.landmarks, matrix), TEMPLATE, atol=0.1)
    (a, minus_b), (b, also_a) = matrix[:, :2]
    assert (a, minus_b) == pytest.approx((also_a, -b)), "it only turns, scales and shifts"


def test_one_landmark_that_is_wrong_does_not_move_the_face() -> None:
    back = similarity(300, 15, 200, 150)
    landmarks = moved(TEMPLATE, back)
    landmarks[2] += (40, -25)
    matrix = alignment(face_with(landmarks))
    assert matrix is not None
    others = [0, 1, 3, 4]
    np.testing.assert_allclose(moved(landmarks[others], matrix), TEMPLATE[others], atol=1)


@pytest.mark.parametrize("where", [0.0, 7.5, np.nan])
def test_landmarks_that_are_one_point_have_no_alignment(where: float) -> None:
    assert alignment(face_with(np.full((5, 2), where))) is None


def test_an_aligned_face_lies_where_the_networks_want_it() -> None:
    """A photo in which only the landmarks are white: they are white in the square too."""
    back = similarity(150, -30, 120, 90)
    landmarks = moved(TEMPLATE, back)
    photo = np.zeros((PICTURE.height, PICTURE.width, 3), np.uint8)
    for x, y in landmarks:
        cv2.circle(photo, (round(x), round(y)), 2, (255, 255, 255), -1)
    matrix = alignment(face_with(landmarks))
    assert matrix is not None
    square = aligned(photo, matrix)
    assert square.shape == (FACE_PX, FACE_PX, 3)
    for x, y in TEMPLATE:
        assert square[round(y), round(x)].min() > 200
    assert square.mean() < 255 * 0.02


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_beyond_the_photo_an_aligned_face_is_gray(dtype: type) -> None:
    photo = np.zeros((50, 50, 3), dtype)
    outside = np.asarray(cv2.invertAffineTransform(similarity(100, 0, 500, 500)), np.float64)
    square = aligned(photo, outside)
    assert square.dtype == dtype
    gray = np.array(BORDER_RGB) * (np.iinfo(dtype).max // 255)
    np.testing.assert_array_equal(square, np.broadcast_to(gray, square.shape))


# Choice


def test_all_faces_are_chosen_in_the_order_they_were_found() -> None:
    faces = [face_in_box(0, 0, 50, 50), face_in_box(100, 100, 300, 300)]
    assert chosen(faces, Faces.ALL, PICTURE) == faces


def test_only_the_largest_face_is_chosen() -> None:
    small, large, other = (
        face_in_box(0, 0, 50, 50), face_in_box(100, 100, 220, 220), face_in_box(0, 0, 60, 60),
    )  # fmt: skip
    assert chosen([small, large, other], Faces.LARGEST, PICTURE) == [large]


def test_the_largest_is_counted_inside_the_picture() -> None:
    huge_but_outside = face_in_box(-500, -500, 20, 20)
    beside = face_in_box(PICTURE.width + 1, 0, PICTURE.width + 900, 900)
    inside = face_in_box(100, 100, 130, 130)
    for faces in ([huge_but_outside, beside, inside], [inside, beside, huge_but_outside]):
        assert chosen(faces, Faces.LARGEST, PICTURE) == [inside]


@pytest.mark.parametrize("which", [Faces.ALL, Faces.LARGEST])
def test_faces_that_are_too_small_are_dropped(which: Faces) -> None:
    enough = face_in_box(0, 0, 30, 30, eyes=MIN_EYE_DISTANCE_PX + 0.01)
    too_small = face_in_box(0, 0, 300, 300, eyes=MIN_EYE_DISTANCE_PX - 0.01)
    assert chosen([too_small, enough], which, PICTURE) == [enough]
    assert chosen([too_small], which, PICTURE) == []


def test_a_side_face_is_dropped() -> None:
    """From the side the eyes lie nearly on each other, however large the face is."""
    landmarks = TEMPLATE.copy()
    landmarks[1] = landmarks[0] + (3, 3)
    assert chosen([face_with(landmarks, (0, 0, 300, 300))], Faces.ALL, PICTURE) == []


def test_no_face_is_chosen_where_none_is_wanted_or_there() -> None:
    assert chosen([face_in_box(0, 0, 50, 50)], Faces.NONE, PICTURE) == []
    for which in Faces:
        assert chosen([], which, PICTURE) == []


# The mask


@pytest.mark.parametrize("seed", range(4))
def test_a_soft_mask_lies_between_nothing_and_all(seed: int) -> None:
    spots = np.random.default_rng(seed).integers(0, 2, (8, 8)).astype(np.uint8)
    soft = soft_mask(np.kron(spots, np.full((64, 64), 255, np.uint8)))
    assert soft.dtype == np.float32
    assert soft.shape == (FACE_PX, FACE_PX)
    assert soft.min() >= 0
    assert soft.max() <= 1 + 1e-6
    assert ((soft > 0.01) & (soft < 0.99)).mean() > 0.1, "its borders are soft"


def test_a_soft_mask_is_nothing_at_the_rim_of_the_square() -> None:
    everything = soft_mask(np.full((FACE_PX, FACE_PX), 255, np.uint8))
    inside = slice(MASK_BORDER_PX, -MASK_BORDER_PX)
    assert everything[inside, inside].min() > 0.999
    everything[inside, inside] = 0
    assert not everything.any()
    assert not soft_mask(np.zeros((FACE_PX, FACE_PX), np.uint8)).any()


@pytest.mark.parametrize("is_face", [oval(), np.full((FACE_PX, FACE_PX), 255, np.uint8)])
def test_a_soft_mask_is_that_of_the_reference(is_face: NDArray[np.uint8]) -> None:
    """The lines of facexlib's paste_faces_to_input_image with a parser, in 64-bit floats."""
    mask = is_face.astype(np.float64)
    for _ in range(2):
        mask = np.asarray(cv2.GaussianBlur(mask, (101, 101), 11), np.float64)
    mask[:10] = mask[-10:] = 0
    mask[:, :10] = mask[:, -10:] = 0
    np.testing.assert_allclose(soft_mask(is_face), mask / 255, atol=1e-5)


def test_a_soft_mask_is_half_where_the_face_ends() -> None:
    is_face = np.zeros((FACE_PX, FACE_PX), np.uint8)
    is_face[:, :256] = 255
    soft = soft_mask(is_face)
    assert soft[256, 255:257].mean() == pytest.approx(0.5, abs=0.01)
    assert (np.diff(soft[256, MASK_BORDER_PX:-MASK_BORDER_PX]) <= 1e-6).all()
    assert soft[256, 100] == pytest.approx(1, abs=1e-4)
    assert soft[256, 400] == pytest.approx(0, abs=1e-4)


# The region

lying = st.builds(
    similarity,
    width=st.floats(4, 700),
    degrees=st.floats(-180, 180),
    x=st.floats(-300, 460),
    y=st.floats(-300, 420),
)
"""Maps of the square onto, across and beside CANVAS."""


@unhurried()
@given(lying)
def test_the_region_holds_all_that_a_warp_of_the_whole_canvas_touches(back: Matrix) -> None:
    ones = np.ones((FACE_PX, FACE_PX), np.float32)
    touched = cv2.warpAffine(ones, back, (CANVAS.width, CANVAS.height)) > 0
    region = region_of(back, CANVAS)
    if region is not None:
        assert 0 <= region.x < region.right <= CANVAS.width
        assert 0 <= region.y < region.bottom <= CANVAS.height
        touched[region.slices] = False
    assert not touched.any()


@unhurried()
@given(width=st.floats(8, 80), degrees=st.floats(-180, 180))
def test_the_region_is_hardly_larger_than_what_is_touched(width: float, degrees: float) -> None:
    back = similarity(width, degrees, 80, 60)
    ones = np.ones((FACE_PX, FACE_PX), np.float32)
    touched = cv2.warpAffine(ones, back, (CANVAS.width, CANVAS.height)) > 0
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    region = region_of(back, CANVAS)
    assert region is not None
    assert region.width <= np.ptp(columns) + 1 + 8
    assert region.height <= np.ptp(rows) + 1 + 8


@pytest.mark.parametrize(("x", "y"), [(-200, 60), (400, 60), (80, -200), (80, 400)])
def test_a_face_beside_the_picture_has_no_region(x: float, y: float) -> None:
    assert region_of(similarity(100, 20, x, y), CANVAS) is None


# Pasting


@unhurried(max_examples=40)
@given(back=lying, strength=st.floats(0, 1))
def test_pasting_on_the_region_is_as_pasting_on_the_whole_canvas(
    back: Matrix, strength: float
) -> None:
    background, face = noise(CANVAS), restored_face(back)
    ours = result_of(background, face, strength)
    assert apart(ours, naively_pasted(background, face, strength)) <= 1
    region = region_of(back, CANVAS)
    outside = np.ones((CANVAS.height, CANVAS.width), bool)
    if region is not None:
        outside[region.slices] = False
    np.testing.assert_array_equal(ours[outside], background[outside])


PLACES = {
    "inside": similarity(110, 10, 120, 90),
    "upside down": similarity(130, 175, 125, 85),
    "across the corner": similarity(200, -25, 20, 30),
    "larger than the picture": similarity(600, 5, 120, 90),
    "tiny": similarity(24, 0, 100.3, 100.6),
}
everywhere = pytest.mark.parametrize("back", PLACES.values(), ids=PLACES.keys())


@everywhere
@pytest.mark.parametrize("mask", [SOFT_OVAL, None], ids=["parsed", "no parser"])
@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize(("dtype", "most_apart"), [(np.uint8, 1), (np.uint16, 32)])
def test_it_is_equal_at_each_place_and_depth(
    back: Matrix, mask: Mask | None, scale: float, dtype: type, most_apart: int
) -> None:
    """16 bits: within an eighth of an 8-bit level, since coordinates are 32-bit floats."""
    background, face = noise(PICTURE, dtype), restored_face(back, mask, dtype, scale)
    ours = result_of(background, face, 0.8, scale)
    assert ours.dtype == dtype
    assert apart(ours, naively_pasted(background, face, 0.8, scale)) <= most_apart
    assert (ours != background).any(), "nothing was pasted, so nothing was compared"


@everywhere
@pytest.mark.parametrize("mask", [SOFT_OVAL, None], ids=["parsed", "no parser"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_strength_leaves_the_background_exactly(
    back: Matrix, mask: Mask | None, dtype: type
) -> None:
    background = noise(PICTURE, dtype)
    face = restored_face(back, mask, dtype)
    np.testing.assert_array_equal(result_of(background, face, 0.0), background)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_full_strength_gives_the_restored_face_where_the_mask_is_full(dtype: type) -> None:
    back = similarity(FACE_PX, 0, FACE_PX / 2, FACE_PX / 2)  # pixel on pixel
    face = restored_face(back, dtype=dtype)
    background = noise(Size(FACE_PX, FACE_PX), dtype)
    ours = result_of(background, face, 1.0)
    inside = SOFT_OVAL > 1 - 1e-5
    assert inside.mean() > 0.1
    np.testing.assert_allclose(ours[inside].astype(int), face.restored[inside].astype(int), atol=1)
    outside = SOFT_OVAL == 0
    assert outside.mean() > 0.05
    np.testing.assert_array_equal(ours[outside], background[outside])


def test_without_a_parser_the_square_is_pasted_and_its_rim_fades() -> None:
    back = similarity(200, 0, 200, 150)
    background = np.zeros((300, 400, 3), np.uint8)
    white = np.full((FACE_PX, FACE_PX, 3), 255, np.uint8)
    ours = result_of(background, replace(restored_face(back, None), restored=white), 1.0)[..., 0]
    assert (ours[80:220, 130:270] == 255).all()
    assert not ours[:, :100].any()
    assert not ours[:50].any()
    fading = ours[150, 100:130].astype(int)
    assert (np.diff(fading) >= 0).all()
    assert np.abs(np.diff(fading)).max() < 60, "there is no hard edge"


@unhurried(max_examples=20)
@given(strengths=st.lists(st.floats(0, 1), min_size=2, max_size=5).map(sorted))
def test_more_strength_is_nowhere_less_face(strengths: list[float]) -> None:
    background = noise(CANVAS)
    face = restored_face(PLACES["across the corner"])
    results = [result_of(background, face, strength).astype(int) for strength in strengths]
    full = result_of(background, face, 1.0).astype(int)
    way = np.sign(full - background)
    for weaker, stronger in pairwise(results):
        assert ((stronger - weaker) * way >= 0).all()
    assert ((full - results[-1]) * way >= 0).all()


def test_half_strength_is_half_way() -> None:
    background = noise(CANVAS)
    face = restored_face(PLACES["across the corner"])
    half, full = (result_of(background, face, strength) for strength in (0.5, 1.0))
    middle = (full.astype(float) + background) / 2
    assert apart(half, middle) <= 1
    assert (half != background).any()


@pytest.mark.parametrize("mask", [SOFT_OVAL, None], ids=["parsed", "no parser"])
def test_a_face_wholly_outside_changes_nothing(mask: Mask | None) -> None:
    background = noise(CANVAS)
    face = restored_face(similarity(100, 20, 500, 60), mask)
    np.testing.assert_array_equal(result_of(background, face, 1.0), background)


def test_a_face_partly_outside_is_pasted_where_the_picture_is() -> None:
    """What is seen of it is what a larger picture shows at the same place."""
    large, corner = noise(Size(300, 300)), (slice(100, 220), slice(90, 250))
    back = similarity(140, 30, 120, 110)
    in_corner = back.copy()
    in_corner[:, 2] -= (90, 100)
    whole = result_of(large, restored_face(back), 0.9)
    part = result_of(large[corner].copy(), restored_face(in_corner), 0.9)
    assert apart(part, whole[corner].astype(float)) <= 1
    assert (part != large[corner]).any()


def test_the_way_back_is_the_inverse_enlarged() -> None:
    matrix = np.asarray(cv2.invertAffineTransform(similarity(200, 40, 70, 90)), np.float64)
    on_photo = moved(TEMPLATE, way_back(matrix, 1.0))
    np.testing.assert_allclose(moved(on_photo, matrix), TEMPLATE, atol=1e-6)
    # Enlarged pixels have their centres half a pixel off, as the reference has it.
    np.testing.assert_allclose(moved(TEMPLATE, way_back(matrix, 3.0)), on_photo * 3 + 1.5)
