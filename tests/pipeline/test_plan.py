import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.errors import NetworkMissing
from photoenhance_ui.geometry import GRID_PX, Size
from photoenhance_ui.pipeline.plan import (
    Choice,
    EngineFacts,
    Plan,
    UpscalerFacts,
    choose_networks,
    make_plan,
    operations,
    tile_px_for,
)
from photoenhance_ui.request import AUTO, OPTIONS, RESAMPLE_ONLY, Faces, Precision, Request

GENERAL, WDN = "realesr-general-x4v3", "realesr-general-wdn-x4v3"
X2, X4 = "RealESRGAN_x2plus", "RealESRGAN_x4plus"
UPSCALERS = {
    "builtin": UpscalerFacts(2),
    GENERAL: UpscalerFacts(4, WDN),
    X2: UpscalerFacts(2),
    X4: UpscalerFacts(4),
    "mine": UpscalerFacts(8),
}
FACTS = EngineFacts(
    device="cuda",
    device_name="a GPU",
    upscalers=UPSCALERS,
    detector="detector",
    restorer="restorer",
    parser="parser",
    default_precision="exact",
    tile_px=128,
)
SOURCE = Size(300, 200)

FILE_ONLY: dict[str, Any] = {"output_format": "png", "quality": 50, "keep_metadata": False}
"""What changes the written file and not the plan."""
OTHER_VALUES: dict[str, Any] = {
    "scale": 3.0,
    "upscaler": X4,
    "faces": Faces.LARGEST,
    "face_strength": 0.3,
    "denoise": 0.2,
    "precision": Precision.FAST,
}


def plan_of(
    request: Request, facts: EngineFacts = FACTS, source: Size = SOURCE, runs_fast: bool = True
) -> Plan:
    choice = choose_networks(request.upscaler, request.scale, facts)
    return make_plan(source, request, choice, facts, runs_fast=runs_fast)


@pytest.mark.parametrize("name", [o.name for o in OPTIONS if o.name not in FILE_ONLY])
def test_each_field_of_the_request_changes_the_plan(name: str) -> None:
    request = Request(upscaler=GENERAL)
    changed = replace(request, **{name: OTHER_VALUES[name]})
    assert replace(plan_of(changed), warnings=()) != replace(plan_of(request), warnings=())


@pytest.mark.parametrize("name", sorted(FILE_ONLY))
def test_what_concerns_the_file_alone_leaves_the_plan(name: str) -> None:
    changed = Request.from_options({name: FILE_ONLY[name]})
    assert changed != Request()
    assert plan_of(changed) == plan_of(Request())


@pytest.mark.parametrize(
    ("device", "installed", "scale", "chosen"),
    [
        ("cpu", ["builtin"], 2, "builtin"),
        ("cpu", ["builtin", GENERAL, X2, X4], 2, GENERAL),
        ("cpu", ["builtin", GENERAL, X2, X4], 8, GENERAL),
        ("cpu", ["builtin", X2, X4, "mine"], 4, "builtin"),
        ("cpu", [], 2, RESAMPLE_ONLY),
        ("cpu", ["mine"], 2, RESAMPLE_ONLY),
        ("cuda", ["builtin", GENERAL, X2, X4], 1, X2),
        ("cuda", ["builtin", GENERAL, X2, X4], 2, X2),
        ("cuda", ["builtin", GENERAL, X2, X4], 2.5, X4),
        ("cuda", ["builtin", GENERAL, X2, X4], 8, X4),
        ("cuda", ["builtin", GENERAL, X2], 4, GENERAL),
        ("cuda", ["builtin", X2], 8, X2),
        ("cuda", ["builtin", GENERAL], 2, GENERAL),
        ("mps", ["builtin", X2], 2, X2),
        ("mps", ["builtin"], 4, "builtin"),
    ],
)
def test_what_auto_takes(device: str, installed: list[str], scale: float, chosen: str) -> None:
    upscalers = {name: UPSCALERS[name] for name in installed}
    facts = replace(FACTS, device=device, upscalers=upscalers)
    assert choose_networks(AUTO, scale, facts).upscaler == chosen


def test_a_named_upscaler_is_taken_as_it_is() -> None:
    for name in (*UPSCALERS, RESAMPLE_ONLY, "not-there"):
        choice = choose_networks(name, 2, FACTS)
        assert choice == Choice(name, "detector", "restorer", "parser")


def test_a_named_upscaler_that_is_not_there_fails_with_those_that_are() -> None:
    with pytest.raises(NetworkMissing) as missing:
        plan_of(Request(upscaler="not-there"))
    assert "not-there" in missing.value.sentence
    assert all(name in missing.value.sentence for name in UPSCALERS)
    with pytest.raises(NetworkMissing, match="none"):
        plan_of(Request(upscaler=X4), replace(FACTS, upscalers={}))


def test_a_choice_outlives_the_arrival_of_better_networks() -> None:
    before = replace(FACTS, upscalers={"builtin": UpscalerFacts(2)}, restorer=None)
    choice = choose_networks(AUTO, 2, before)
    plan = make_plan(SOURCE, Request(), choice, FACTS)
    assert plan.networks == ("builtin",)


def test_the_networks_are_those_that_will_run() -> None:
    assert plan_of(Request()).networks == (X2, "detector", "restorer", "parser")
    assert plan_of(Request(upscaler=GENERAL, faces=Faces.NONE)).networks == (GENERAL, WDN)
    assert plan_of(Request(upscaler=RESAMPLE_ONLY, faces=Faces.NONE)).networks == ()
    without_parser = replace(FACTS, parser=None)
    assert plan_of(Request(), without_parser).networks == (X2, "detector", "restorer")


def test_no_strength_means_no_face_networks() -> None:
    plan = plan_of(Request(face_strength=0))
    assert plan.faces is Faces.NONE
    assert plan.networks == (X2,)
    assert plan.warnings == ()


@pytest.mark.parametrize(("missing", "said"), [("detector", "finds"), ("restorer", "restores")])
def test_faces_without_face_networks_are_a_warning(missing: str, said: str) -> None:
    plan = plan_of(Request(), replace(FACTS, **{missing: None}))
    assert plan.faces is Faces.NONE
    assert (plan.detector, plan.restorer, plan.parser) == (None, None, None)
    assert len(plan.warnings) == 1
    assert said in plan.warnings[0]
    assert plan_of(Request(faces=Faces.NONE), replace(FACTS, **{missing: None})).warnings == ()


@pytest.mark.parametrize("upscaler", [X4, RESAMPLE_ONLY])
def test_denoise_without_effect_is_a_warning(upscaler: str) -> None:
    plan = plan_of(Request(upscaler=upscaler, denoise=0.9))
    assert plan.denoise == 1
    assert any("denoise had no effect" in warning for warning in plan.warnings)
    assert plan_of(Request(upscaler=upscaler)).warnings == ()
    assert plan_of(Request(upscaler=GENERAL, denoise=0.9)).warnings == ()


@pytest.mark.parametrize("upscaler", [X4, RESAMPLE_ONLY])
def test_fast_without_a_proven_form_is_exact_and_told_to_who_asked_for_it(upscaler: str) -> None:
    asked = plan_of(Request(upscaler=upscaler, precision=Precision.FAST), runs_fast=False)
    assert asked.precision == "exact"
    assert any("no fast form" in warning for warning in asked.warnings)
    left_to_us = replace(FACTS, default_precision="fast")
    plan = plan_of(Request(upscaler=upscaler), left_to_us, runs_fast=False)
    assert plan.precision == "exact"
    assert plan.warnings == ()


def test_auto_precision_is_that_of_the_engine() -> None:
    fast = replace(FACTS, default_precision="fast")
    assert plan_of(Request(), fast).precision == "fast"
    assert plan_of(Request(precision=Precision.EXACT), fast).precision == "exact"


def test_untrusted_weights_are_told_by_every_plan_that_uses_them() -> None:
    facts = replace(FACTS, weights_warnings={WDN: "not published", X4: "not published either"})
    assert plan_of(Request(upscaler=GENERAL), facts).warnings == ("not published",)
    assert plan_of(Request(upscaler=X2), facts).warnings == ()


def test_a_scale_beyond_the_limit_is_lowered_and_told() -> None:
    plan = plan_of(Request(scale=8), replace(FACTS, max_output_pixels=SOURCE.pixels * 9))
    assert plan.scale == 3.0
    assert plan.output == Size(900, 600)
    assert "Scale 8" in plan.warnings[0]
    assert "3 was used" in plan.warnings[0]


sizes = st.builds(Size, st.integers(1, 3000), st.integers(1, 3000))


@given(source=sizes, scale=st.floats(1, 8), limit=st.integers(9_000_000, 50_000_000))
def test_the_result_keeps_within_the_limit_and_never_shrinks(
    source: Size, scale: float, limit: int
) -> None:
    facts = replace(FACTS, max_output_pixels=limit)
    plan = plan_of(Request(scale=scale), facts, source)
    assert plan.output.pixels <= limit
    assert 1 <= plan.scale <= scale
    assert plan.output == source.scaled(plan.scale)
    assert bool(plan.warnings) == (plan.scale != scale)


@given(source=sizes, tile_px=st.sampled_from([128, 512]))
def test_tiles_cover_the_photo_once(source: Size, tile_px: int) -> None:
    tiles = plan_of(Request(), replace(FACTS, tile_px=tile_px), source).tiles
    assert sum(tile.core.size.pixels for tile in tiles) == source.pixels
    assert max(tile.core.right for tile in tiles) == source.width
    assert max(tile.core.bottom for tile in tiles) == source.height
    assert len({(tile.core.x, tile.core.y) for tile in tiles}) == len(tiles)
    most = 1.5 * tile_px + GRID_PX
    assert all(tile.core.width <= most and tile.core.height <= most for tile in tiles)


def test_tiles_are_those_asked_for() -> None:
    choice = choose_networks(X2, 2, FACTS)
    plan = make_plan(SOURCE, Request(upscaler=X2), choice, FACTS, tile_px=1000, overlap_px=0)
    assert len(plan.tiles) == 1
    assert len(plan_of(Request(upscaler=X2)).tiles) == 2 * 2  # 300 x 200 by about 128
    assert plan_of(Request(upscaler=RESAMPLE_ONLY)).tiles == ()


@pytest.mark.parametrize(
    ("device", "operations_per_pixel", "expected"),
    [("cuda", 1e9, 512), ("cpu", 0.6e6, 512), ("cpu", 4.48e6, 384), ("cpu", 1e9, 128)],
)
def test_a_tile_takes_a_cpu_not_too_long(
    device: str, operations_per_pixel: float, expected: int
) -> None:
    upscaler = UpscalerFacts(4, None, operations_per_pixel)
    assert tile_px_for(upscaler, device) == expected


def test_a_plan_has_batches_as_large_as_the_device_takes() -> None:
    plan = plan_of(Request(), replace(FACTS, tiles_at_once=3, faces_at_once=5))
    assert (plan.tiles_at_once, plan.faces_at_once) == (3, 5)
    assert (plan_of(Request()).tiles_at_once, plan_of(Request()).faces_at_once) == (1, 1)


def test_a_larger_photo_needs_more_operations_and_faces_cost_too() -> None:
    def cost(source: Size, request: Request, facts: EngineFacts = FACTS) -> float:
        choice = choose_networks(request.upscaler, request.scale, facts)
        return operations(source, choice, request, facts)

    with_faces, without = Request(upscaler=X2), Request(upscaler=X2, faces=Faces.NONE)
    assert cost(Size(200, 200), without) == 4 * cost(Size(100, 100), without)
    assert cost(SOURCE, with_faces) > cost(SOURCE, without)
    assert cost(SOURCE, with_faces, replace(FACTS, restorer=None)) == cost(SOURCE, without)
    assert cost(SOURCE, Request(upscaler="not there", faces=Faces.NONE)) > 0


def test_the_same_facts_give_the_same_plan_and_it_crosses_processes() -> None:
    facts, request = replace(FACTS), Request(denoise=0.7)
    plan = plan_of(request, facts)
    assert plan_of(request, facts) == plan
    assert facts == FACTS
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert pickle.loads(pickle.dumps(facts)) == facts
