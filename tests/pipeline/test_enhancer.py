"""The composition: driven by hand with stand-ins for the networks, and with the real one."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoenhance_ui.catalogue import Role
from photoenhance_ui.events import FacesFound, Progress, Stage
from photoenhance_ui.geometry import Size, even_tiles_of
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Metadata, Photo, Pixels, white_of
from photoenhance_ui.pipeline.contracts import FACE_PX, DetectedFace, Work
from photoenhance_ui.pipeline.enhancer import (
    Enhanced,
    blend,
    enhance,
    in_8_bits,
    resized,
    together,
    without_colour,
)
from photoenhance_ui.pipeline.faces import pasted
from photoenhance_ui.pipeline.plan import Choice, Plan, make_plan
from photoenhance_ui.request import BUILTIN, RESAMPLE_ONLY, Faces, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights import inventory
from testing.by_hand import (
    TWO,
    WITH_FACES,
    Run,
    StandIns,
    driven,
    face_at,
    gray_photo,
    photo_of,
    plan_of,
    repeated,
)

# What it says and in which order


def test_each_step_comes_in_its_order() -> None:
    photo = photo_of()
    plan = plan_of(photo, replace(WITH_FACES, denoise=0.3))
    run = driven(photo, plan, StandIns(faces=TWO))
    tiles, total = 3 * 2, 3 * 2 + 2
    said = [(step.role, step.network) if isinstance(step, Work) else step for step in run.steps]
    restored = ((Role.RESTORER, "restorer"), (Role.PARSER, "parser"))
    enlarged = (
        step
        for tile in range(tiles)
        for step in (
            Progress(Stage.ENLARGING, 2 + tile, total), (Role.UPSCALER, "upscaler"),
        )
    )  # fmt: skip
    assert said == [
        Progress(Stage.FINDING_FACES),
        (Role.DETECTOR, "detector"),
        FacesFound(2),
        Progress(Stage.RESTORING_FACES, 0, total),
        *restored,
        Progress(Stage.RESTORING_FACES, 1, total),
        *restored,
        *enlarged,
        Progress(Stage.ENLARGING, total, total),
    ]


def test_each_network_is_given_what_its_contract_says() -> None:
    photo = photo_of(dtype=np.uint16)
    plan = plan_of(photo, replace(WITH_FACES, denoise=0.3))
    run = driven(photo, plan, StandIns(faces=TWO))
    by_role = {role: [work for work in run.work if work.role is role] for role in Role}
    (detector,) = by_role[Role.DETECTOR]
    (seen,) = detector.inputs
    assert seen.dtype == np.uint8
    assert seen.shape == photo.pixels.shape
    for work in by_role[Role.RESTORER] + by_role[Role.PARSER]:
        assert work.inputs.shape == (1, FACE_PX, FACE_PX, 3)
        assert work.inputs.dtype == np.uint16
    for work, tile in zip(by_role[Role.UPSCALER], plan.tiles, strict=True):
        np.testing.assert_array_equal(work.inputs, photo.pixels[tile.padded.slices][None])
        assert work.denoise == 0.3


def test_the_parser_sees_what_the_restorer_gave() -> None:
    photo = photo_of()
    run = driven(photo, plan_of(photo, WITH_FACES), StandIns(faces=TWO))
    restorers = [work for work in run.work if work.role is Role.RESTORER]
    parsers = [work for work in run.work if work.role is Role.PARSER]
    for restorer, parser, face in zip(restorers, parsers, run.enhanced.faces, strict=True):
        np.testing.assert_array_equal(parser.inputs, 255 - restorer.inputs)
        np.testing.assert_array_equal(face.restored, parser.inputs[0])


@pytest.mark.parametrize("found", [0, 1, 2, 5])
@pytest.mark.parametrize("tile_px", [16, 32, 100])
def test_progress_is_counted_and_ends_with_all(found: int, tile_px: int) -> None:
    photo = photo_of()
    plan = plan_of(photo, WITH_FACES, tile_px=tile_px)
    faces = [face_at(8 * number, 5) for number in range(found)]
    run = driven(photo, plan, StandIns(faces=faces))
    assert FacesFound(found) in run.steps
    first, *counted = run.progress
    assert first == Progress(Stage.FINDING_FACES)
    total = found + len(plan.tiles)
    assert [(step.done, step.total) for step in counted] == [(n, total) for n in range(total + 1)]
    # A step is told before its work, so that the page says what is being done.
    assert len(counted) == 1 + sum(work.role in (Role.RESTORER, Role.UPSCALER) for work in run.work)


def in_batches(plan: Plan, tiles: int, faces: int) -> Plan:
    return replace(plan, tiles_at_once=tiles, faces_at_once=faces)


@pytest.mark.parametrize("most", [1, 2, 3, 8])
def test_tiles_and_faces_in_batches_give_the_same_and_are_counted(most: int) -> None:
    photo = photo_of(dtype=np.uint16)
    faces = [face_at(8 * number, 5) for number in range(5)]
    plan = plan_of(photo, WITH_FACES, tile_px=16)
    single = driven(photo, plan, StandIns(faces=faces))
    run = driven(photo, in_batches(plan, most, most), StandIns(faces=faces))
    ours, theirs = (blend(one.enhanced, 0.8).pixels for one in (run, single))
    np.testing.assert_array_equal(ours, theirs)
    steps = [w for w in run.work if w.role in (Role.RESTORER, Role.UPSCALER)]
    assert all(len(work.inputs) <= most for work in run.work)
    before = [sum(len(w.inputs) for w in steps[:number]) for number in range(len(steps) + 1)]
    assert [step.done for step in run.progress[1:]] == before
    assert {step.total for step in run.progress[1:]} == {before[-1]} == {5 + len(plan.tiles)}
    by_role = {role: [len(w.inputs) for w in run.work if w.role is role] for role in Role}
    full, left = divmod(5, most)
    assert by_role[Role.RESTORER] == by_role[Role.PARSER] == [most] * full + [left] * (left > 0)


@given(
    size=st.builds(Size, st.integers(1, 300), st.integers(1, 300)),
    tile_px=st.integers(20, 200),
    most=st.integers(1, 6),
)
def test_only_equally_large_tiles_are_together(size: Size, tile_px: int, most: int) -> None:
    tiles = even_tiles_of(size, tile_px, 8)
    groups = list(together(tiles, most))
    assert sorted(map(repr, (t for group in groups for t in group))) == sorted(map(repr, tiles))
    assert all(len(group) <= most for group in groups)
    assert all(len({tile.padded.size for tile in group}) == 1 for group in groups)
    not_full = [group[0].padded.size for group in groups if len(group) < most]
    assert len(not_full) == len(set(not_full)), "two of them would have gone together"
    if most == 1:
        assert [tile for (tile,) in groups] == list(tiles)


def test_without_faces_nobody_looks_for_any() -> None:
    photo = photo_of()
    run = driven(photo, plan_of(photo), StandIns(faces=TWO))
    assert {work.role for work in run.work} == {Role.UPSCALER}
    assert not any(isinstance(step, FacesFound) for step in run.steps)
    assert {step.stage for step in run.progress} == {Stage.ENLARGING}


def test_without_a_parser_faces_have_no_mask() -> None:
    photo = photo_of()
    run = driven(photo, plan_of(photo, WITH_FACES, parser=None), StandIns(faces=TWO))
    assert Role.PARSER not in {work.role for work in run.work}
    assert [face.mask for face in run.enhanced.faces] == [None, None]
    assert (blend(run.enhanced, 1).pixels != run.enhanced.background).any()


@pytest.mark.parametrize(
    ("faces", "restored"), [(Faces.ALL, [0, 1]), (Faces.LARGEST, [1]), (Faces.NONE, [])]
)
def test_only_the_faces_asked_for_are_restored(faces: Faces, restored: list[int]) -> None:
    photo = photo_of()
    found = (face_at(2, 5, 25), face_at(30, 10, 38))
    run = driven(photo, plan_of(photo, replace(WITH_FACES, faces=faces)), StandIns(faces=found))
    assert [face.detected for face in run.enhanced.faces] == [found[n] for n in restored]


def test_a_face_that_cannot_be_aligned_is_not_counted() -> None:
    photo = photo_of()
    broken = DetectedFace(TWO[0].box, np.full((5, 2), np.nan, np.float32), 0.9)
    small = face_at(40, 20, 10)
    run = driven(photo, plan_of(photo, WITH_FACES), StandIns(faces=(broken, small, TWO[1])))
    assert FacesFound(1) in run.steps
    assert [face.detected for face in run.enhanced.faces] == [TWO[1]]
    assert run.progress[-1].total == 1 + 6


def test_it_stops_between_two_steps_when_it_is_told() -> None:
    photo = photo_of()
    steps = enhance(photo, plan_of(photo))
    assert isinstance(next(steps), Progress)
    assert isinstance(next(steps), Work)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_a_network_that_fails_is_not_hidden() -> None:
    photo = photo_of()
    steps = enhance(photo, plan_of(photo))
    next(steps)
    next(steps)
    with pytest.raises(MemoryError):
        steps.throw(MemoryError())


# Tiles


@settings(deadline=None)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 50),
    tile_px=st.integers(1, 80),
    overlap_px=st.integers(0, 12),
    scale=st.integers(1, 4),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)
def test_tiles_are_put_together_without_a_gap(
    width: int, height: int, tile_px: int, overlap_px: int, scale: int, dtype: type
) -> None:
    tile_px = max(tile_px, width // 8, height // 8)  # a thousand tiles show nothing more
    photo = photo_of(width, height, dtype)
    request = Request(scale=scale, upscaler="upscaler", faces=Faces.NONE)
    plan = plan_of(photo, request, scale, tile_px, overlap_px)
    run = driven(photo, plan, StandIns(scale))
    np.testing.assert_array_equal(run.enhanced.background, repeated(photo.pixels, scale))


@pytest.mark.parametrize("tile_px", [7, 16, 33])
def test_tiles_see_enough_around_them(tile_px: int) -> None:
    """A network that looks 4 pixels far gives with an overlap of 4 what it gives for the whole."""

    def looking_around(work: Work) -> Pixels:
        blurred = cv2.blur(work.inputs[0], (9, 9), borderType=cv2.BORDER_REPLICATE)
        return repeated(blurred[None], 2)

    photo = photo_of()
    whole = driven(photo, plan_of(photo, tile_px=1000), looking_around).enhanced.background
    tiled = driven(photo, plan_of(photo, tile_px=tile_px), looking_around).enhanced.background
    np.testing.assert_array_equal(tiled, whole)
    seams = driven(photo, plan_of(photo, tile_px=tile_px, overlap_px=1), looking_around)
    assert (seams.enhanced.background != whole).any(), "the network looked too near to show it"


@pytest.mark.parametrize(("network_scale", "scale"), [(2, 1.0), (4, 2.0), (4, 1.0), (8, 2.0)])
@pytest.mark.parametrize("overlap_px", [0, 3, 8])
def test_made_smaller_tile_by_tile_is_made_smaller_as_a_whole(
    network_scale: int, scale: float, overlap_px: int
) -> None:
    photo = photo_of(67, 53)
    request = Request(scale=scale, upscaler="upscaler", faces=Faces.NONE)
    plan = plan_of(photo, request, network_scale, 16, overlap_px)
    assert plan.reduction == network_scale / scale
    tiled = driven(photo, plan, StandIns(network_scale)).enhanced.background
    whole = resized(repeated(photo.pixels, network_scale), plan.output)
    apart = np.abs(tiled.astype(int) - whole)
    if overlap_px == 8:  # the margin that the kernel sees is there
        assert apart.max() == 0
    assert apart.mean() < 1


def test_a_photo_that_grows_by_a_fraction_is_resampled_as_a_whole() -> None:
    photo = photo_of(35, 27)
    request = Request(scale=1.5, upscaler="upscaler", faces=Faces.NONE)
    plan = plan_of(photo, request, 4)
    assert (plan.reduction, plan.kept_size) == (1, photo.size.scaled(4))


# Sizes, depths, transparency, gray

SCALES = [1.0, 1.5, 2.0, 2.37, 3.0, 4.0, 8.0]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("network_scale", [1, 2, 4])
def test_the_result_has_the_size_asked_for(scale: float, network_scale: int) -> None:
    photo = photo_of(35, 27, np.uint16)
    photo = replace(photo, alpha=photo.pixels[..., 0])
    request = Request(scale=scale, upscaler="upscaler", faces=Faces.NONE)
    run = driven(photo, plan_of(photo, request, network_scale), StandIns(network_scale))
    result = blend(run.enhanced, 0.8)
    assert result.size == photo.size.scaled(scale)
    assert result.alpha is not None
    assert result.alpha.shape == result.pixels.shape[:2]
    assert result.pixels.dtype == result.alpha.dtype == np.uint16
    assert run.enhanced.scale == scale


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_is_enlarged_like_a_picture_of_its_own(dtype: type) -> None:
    photo = photo_of(dtype=dtype)
    alpha = np.zeros(photo.pixels.shape[:2], dtype)
    alpha[10:40, 20:60] = np.iinfo(dtype).max
    photo = replace(photo, alpha=alpha)
    request = Request(scale=3, upscaler="upscaler", faces=Faces.NONE)
    result = blend(driven(photo, plan_of(photo, request), StandIns()).enhanced, 1.0)
    assert result.alpha is not None
    assert (result.alpha[40:110, 70:170] == np.iinfo(dtype).max).all()
    assert not result.alpha[:20].any()
    assert not result.alpha[:, 190:].any()


def test_what_the_photo_carries_goes_on_to_the_result() -> None:
    metadata = Metadata(icc_profile=b"profile", exif=b"exif", dpi=(300, 300))
    photo = replace(photo_of(), one_channel=True, metadata=metadata)
    result = blend(driven(photo, plan_of(photo), StandIns()).enhanced, 1.0)
    for field in fields(Photo):
        if field.name != "pixels":
            assert getattr(result, field.name) == getattr(photo, field.name)
    assert result.pixels.shape == (100, 140, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_black_and_white_photo_stays_so_whatever_the_networks_give(dtype: type) -> None:
    photo = gray_photo(dtype)

    def colourful(work: Work) -> Any:
        given_back = StandIns(faces=TWO)(work)
        if work.role in (Role.UPSCALER, Role.RESTORER):
            given_back[..., 0] //= 2
        return given_back

    run = driven(photo, plan_of(photo, WITH_FACES), colourful)
    red, green, blue = np.moveaxis(blend(run.enhanced, 0.7).pixels, -1, 0)
    assert red.dtype == dtype
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)
    assert red.std() > white_of(red) / 50
    coloured = blend(replace(run.enhanced, photo=photo_of(dtype=dtype)), 0.7).pixels
    assert (coloured[..., 0] != coloured[..., 2]).any(), "the stand-ins gave no colour to remove"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_gray_already_keeps_every_level(dtype: type) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(-1, 256)
    gray = np.stack([levels] * 3, axis=-1)
    np.testing.assert_array_equal(without_colour(gray), gray)


def test_gray_is_as_bright_as_the_colour_was() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert without_colour(colours)[0, :, 0].tolist() == [76, 150, 29, 255]


def test_16_bits_are_rounded_to_the_nearest_of_8() -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    shown = in_8_bits(levels)
    assert shown.dtype == np.uint8
    assert np.abs(shown.astype(float) - levels / 257).max() <= 0.5
    narrow = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert in_8_bits(narrow) is narrow
    np.testing.assert_array_equal(in_8_bits(narrow.astype(np.uint16) * 257), narrow)


def test_resampling_to_the_same_size_changes_nothing() -> None:
    pixels = photo_of().pixels
    np.testing.assert_array_equal(resized(pixels, Size(70, 50)), pixels)


def test_strong_shrinking_takes_every_pixel_into_account() -> None:
    """A chessboard of single pixels is gray from afar; Lanczos would pick some and skip others."""
    board = np.indices((90, 90)).sum(axis=0) % 2 * 255
    small = resized(np.stack([board] * 3, axis=-1).astype(np.uint8), Size(30, 30))
    assert np.abs(small.astype(int) - 127.5).max() < 30


# Resampling only


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_without_an_upscaler_the_photo_is_resampled(scale: float, dtype: type) -> None:
    photo = photo_of(dtype=dtype)
    request = Request(scale=scale, upscaler=RESAMPLE_ONLY, faces=Faces.NONE)
    run = driven(photo, plan_of(photo, request), StandIns())
    assert run.steps == []
    size = photo.size.scaled(scale)
    expected = cv2.resize(photo.pixels, (size.width, size.height), interpolation=cv2.INTER_LANCZOS4)
    np.testing.assert_array_equal(blend(run.enhanced, 1).pixels, expected)


def test_faces_are_restored_without_an_upscaler_too() -> None:
    photo = photo_of()
    request = Request(upscaler=RESAMPLE_ONLY)
    run = driven(photo, plan_of(photo, request), StandIns(faces=TWO))
    assert [(p.done, p.total) for p in run.progress[1:]] == [(0, 2), (1, 2), (2, 2)]
    assert Role.UPSCALER not in {work.role for work in run.work}
    result = blend(run.enhanced, 1.0).pixels
    assert np.abs(result.astype(int) - run.enhanced.background).max() > 50


# Blending


@pytest.fixture(scope="module")
def with_faces() -> Enhanced:
    photo = photo_of()
    return driven(photo, plan_of(photo, WITH_FACES), StandIns(faces=TWO)).enhanced


def everything_in(enhanced: Enhanced) -> list[np.ndarray]:
    faces = [part for face in enhanced.faces for part in (face.restored, face.matrix, face.mask)]
    parts = [enhanced.photo.pixels, enhanced.background, *faces]
    return [part.copy() for part in parts if part is not None]


def test_blending_changes_nothing_that_it_is_given(with_faces: Enhanced) -> None:
    before = everything_in(with_faces)
    for strength in (1.0, 0.0, 0.4):
        blend(with_faces, strength)
        blend(replace(with_faces, photo=replace(with_faces.photo, monochrome=True)), strength)
    for now, then in zip(everything_in(with_faces), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_blending_in_place_is_the_same_without_a_copy(with_faces: Enhanced) -> None:
    expected = blend(with_faces, 0.6).pixels
    used_up = replace(with_faces, background=with_faces.background.copy())
    result = blend(used_up, 0.6, in_place=True).pixels
    np.testing.assert_array_equal(result, expected)
    assert np.shares_memory(result, used_up.background)


def test_each_strength_is_blended_as_if_it_were_the_first(with_faces: Enhanced) -> None:
    weak, strong = (blend(with_faces, strength).pixels for strength in (0.3, 0.9))
    np.testing.assert_array_equal(blend(with_faces, 0.3).pixels, weak)
    np.testing.assert_array_equal(blend(with_faces, 0.9).pixels, strong)
    np.testing.assert_array_equal(blend(with_faces, 0.0).pixels, with_faces.background)
    by_hand = with_faces.background.copy()
    for face in with_faces.faces:
        pasted(by_hand, face, with_faces.scale, 0.9)
    np.testing.assert_array_equal(strong, by_hand)
    below = with_faces.background.astype(int)
    assert np.abs(strong - below).sum() > 2 * np.abs(weak - below).sum() > 0


def test_another_strength_needs_no_network() -> None:
    photo = photo_of()
    weak, strong = (plan_of(photo, replace(WITH_FACES, face_strength=s)) for s in (0.3, 0.9))
    stand_ins = StandIns(faces=TWO)
    once = driven(photo, weak, stand_ins).enhanced
    again = driven(photo, strong, stand_ins).enhanced
    np.testing.assert_array_equal(
        blend(once, strong.face_strength).pixels, blend(again, strong.face_strength).pixels
    )


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 4.0])
def test_faces_land_where_they_were_at_each_scale(scale: float) -> None:
    """The stand-in inverts faces: at full strength their middles are the photo's, inverted."""
    photo = photo_of()
    plan = plan_of(photo, replace(WITH_FACES, scale=scale))
    enhanced = driven(photo, plan, StandIns(faces=TWO)).enhanced
    result = blend(enhanced, 1.0).pixels
    for face in TWO:
        x, y = ((face.box[:2] + face.box[2:]) / 2 * scale).astype(int)
        half = int(6 * scale)
        middle = (slice(y - half, y + half), slice(x - half, x + half))
        inverted = 255 - enhanced.background[middle]
        assert likeness_db(result[middle], inverted) > 20
        assert likeness_db(result[middle], enhanced.background[middle]) < 20


def test_only_the_faces_change(with_faces: Enhanced) -> None:
    changed = (blend(with_faces, 1.0).pixels != with_faces.background).any(axis=2)
    near_faces = np.zeros_like(changed)
    for face in TWO:
        left, top, right, bottom = (face.box * with_faces.scale).astype(int)
        near_faces[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = True
    assert changed.any()
    assert not (changed & ~near_faces).any()


# The real network


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Networks]:
    settings = Settings(device="cpu", offline=True, weights_dir=tmp_path_factory.mktemp("weights"))
    yield Networks(inventory.installed(settings), settings)


def run_for_real(photo: Photo, real: Networks, tile_px: int = 128, **options: Any) -> Run:
    request = Request(upscaler=BUILTIN, **options)
    plan = make_plan(
        photo.size, request, Choice(BUILTIN, None, None, None), real.facts(), tile_px=tile_px
    )
    return driven(photo, plan, lambda work: real.run(work, plan.precision))


def likeness_db(ours: Pixels, theirs: Pixels) -> float:
    difference = (ours.astype(float) - theirs) / white_of(ours)
    return float(-10 * np.log10(np.mean(difference**2)))


@pytest.mark.parametrize("scale", SCALES)
def test_the_real_network_gives_each_scale(real: Networks, scale: float) -> None:
    photo = photo_of(45, 31)
    result = blend(run_for_real(photo, real, scale=scale).enhanced, 0.8)
    assert result.size == photo.size.scaled(scale)
    small = cv2.resize(result.pixels, (45, 31), interpolation=cv2.INTER_AREA)
    assert likeness_db(small, photo.pixels) > 20, "it shows something else"


def test_tiles_of_the_real_network_are_counted_and_leave_no_seam(real: Networks) -> None:
    photo = photo_of(90, 70)
    tiled, whole = (run_for_real(photo, real, tile_px, scale=4) for tile_px in (46, 128))
    assert [(p.stage, p.done, p.total) for p in tiled.progress] == [
        (Stage.ENLARGING, done, 4) for done in range(5)
    ]
    assert [work.network for work in tiled.work] == [BUILTIN] * 4
    apart = tiled.enhanced.background.astype(int) - whole.enhanced.background
    assert np.abs(apart).max() <= 2


def test_16_bits_go_through_the_real_network_as_16_bits(real: Networks) -> None:
    deep = photo_of(dtype=np.uint16)
    flat = replace(deep, pixels=in_8_bits(deep.pixels))
    of_deep, of_flat = (
        blend(run_for_real(photo, real, scale=3).enhanced, 0.8).pixels for photo in (deep, flat)
    )
    assert of_deep.dtype == np.uint16
    assert len(np.unique(of_deep)) > 256, "levels between those of 8 bits"
    assert likeness_db(in_8_bits(of_deep), of_flat) > 40


def test_black_and_white_stays_so_with_the_real_network(real: Networks) -> None:
    pixels = blend(run_for_real(gray_photo(), real).enhanced, 0.8).pixels
    np.testing.assert_array_equal(pixels, np.repeat(pixels[..., :1], 3, axis=2))


def test_a_photo_of_one_pixel_goes_through(real: Networks) -> None:
    result = blend(run_for_real(photo_of(1, 1), real, scale=2.5).enhanced, 1)
    assert result.size == Size(2, 2)


def test_the_photo_itself_is_never_changed(real: Networks) -> None:
    photo = photo_of()
    before = photo.pixels.copy()
    for scale in (1.0, 2.0):
        blend(run_for_real(photo, real, scale=scale).enhanced, 1)
        run = driven(
            photo,
            plan_of(photo, Request(scale=scale, upscaler=RESAMPLE_ONLY)),
            StandIns(faces=TWO),
        )
        blend(run.enhanced, 1)
    np.testing.assert_array_equal(photo.pixels, before)
