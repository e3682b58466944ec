"""Whether a photo gets a draft while it waits for its final, and how that is made. Pure.

A draft is what the built-in network gives at the size of a screen, without faces.
"""

from photoenhance_ui.geometry import Size
from photoenhance_ui.pipeline.plan import (
    FACE_OPERATIONS,
    Choice,
    EngineFacts,
    Plan,
    UpscalerFacts,
    make_plan,
)
from photoenhance_ui.request import BUILTIN, MAX_SCALE, Faces, Precision, Request

DRAFT_PX = 2048
"""Longest side of a draft: what a screen shows."""
MAX_SHARE = 0.1
"""The share of the final's operations; a dearer draft would keep the final waiting."""
FAST_COST = 1 / 3
"""What an operation of a fast form about costs: in 8 bits 700 G/s, else 212, on two cores."""


def draft_source(source: Size) -> Size:
    """The size at which a draft's network sees the photo: no side longer than a screen shows."""
    longest = max(source.width, source.height)
    return source if longest <= DRAFT_PX else source.scaled(DRAFT_PX / longest)


def is_cheap(final: Plan, faces: int, facts: EngineFacts, *, runs_fast: bool) -> bool:
    """Whether a draft costs little beside the final, in which so many faces are restored.

    ``runs_fast`` tells that the built-in network has a fast form here. False also where the final
    is made by the built-in network or by resampling alone.
    """
    if final.upscaler in (None, BUILTIN) or BUILTIN not in facts.upscalers:
        return False
    assert final.upscaler is not None
    draft = _cost(draft_source(final.source), facts.upscalers[BUILTIN], fast=runs_fast)
    is_fast = final.precision == Precision.FAST.value
    background = _cost(final.source, facts.upscalers[final.upscaler], fast=is_fast)
    return draft < MAX_SHARE * (background + faces * FACE_OPERATIONS)


def draft_plan(final: Plan, facts: EngineFacts, *, runs_fast: bool) -> Plan:
    """The plan of the draft of a photo of ``draft_source``: as large as the final or a screen."""
    source = draft_source(final.source)
    scale = min(final.scale, DRAFT_PX / max(source.width, source.height), MAX_SCALE)
    request = Request(
        scale=max(1.0, scale),
        upscaler=BUILTIN,
        faces=Faces.NONE,
        precision=Precision.FAST if runs_fast else Precision.EXACT,
    )
    choice = Choice(BUILTIN, None, None, None)
    return make_plan(source, request, choice, facts, runs_fast=runs_fast)


def _cost(size: Size, upscaler: UpscalerFacts, *, fast: bool) -> float:
    return size.pixels * upscaler.operations_per_pixel * (FAST_COST if fast else 1.0)
