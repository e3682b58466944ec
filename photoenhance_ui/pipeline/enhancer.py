"""One Photo and its Plan -> the enhanced Photo; the whole composition on one screen.

The enhancer computes no network itself: it is a generator that yields ``Work`` and is sent the
outputs, and yields events in between. Blending the faces in is a pure last step, so that the
strength can change later without the networks.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from photoenhance_ui.catalogue import Role
from photoenhance_ui.events import Event, FacesFound, Progress, Stage
from photoenhance_ui.geometry import Region, Size, Tile
from photoenhance_ui.photo import Photo, Pixels, in_8_bits
from photoenhance_ui.pipeline.contracts import DetectedFace, Work
from photoenhance_ui.pipeline.faces import (
    Mask,
    Matrix,
    RestoredFace,
    aligned,
    alignment,
    chosen,
    pasted,
    soft_mask,
)
from photoenhance_ui.pipeline.plan import Plan

KERNEL_REACH = 8  # pixels of the smaller picture; Lanczos sees four pixels of the larger one
STRONG_SHRINK = 0.5
"""Below this share Lanczos' eight taps would skip pixels; averaging does not."""


@dataclass(frozen=True, eq=False)
class Enhanced:
    """What the networks gave: the enlarged photo without faces, and the faces beside it."""

    photo: Photo
    """The source; its name and metadata go on to the result."""
    background: Pixels
    alpha: Pixels | None
    faces: tuple[RestoredFace, ...]
    scale: float


def enhance(photo: Photo, plan: Plan) -> Generator[Work | Event, Any, Enhanced]:
    """Yield the work of one photo, be sent its outputs, and return what they add up to."""
    found = yield from _found_faces(photo, plan)
    total = len(found) + len(plan.tiles)
    restored = yield from _restored_faces(photo, plan, found, total)
    background = yield from _enlarged(photo, plan, len(found), total)
    alpha = None if photo.alpha is None else resized(photo.alpha, plan.output)
    return Enhanced(photo, background, alpha, restored, plan.scale)


def blend(
    enhanced: Enhanced, strength: float | Sequence[float], *, in_place: bool = False
) -> Photo:
    """Paste the faces in with a strength of 0 (none of it) to 1, for all or for each.

    Pure, unless ``in_place``: then the background becomes the result, for who needs it no more.
    """
    is_copied = enhanced.faces and not in_place
    pixels = enhanced.background.copy() if is_copied else enhanced.background
    each = [strength] * len(enhanced.faces) if isinstance(strength, int | float) else strength
    for face, strength in zip(enhanced.faces, each, strict=True):  # noqa: PLR1704
        pasted(pixels, face, enhanced.scale, strength)
    if enhanced.photo.monochrome:
        pixels = without_colour(pixels)
    return enhanced.photo.with_pixels(pixels, enhanced.alpha)


def _found_faces(
    photo: Photo, plan: Plan
) -> Generator[Work | Event, Any, list[tuple[DetectedFace, Matrix]]]:
    """The faces to restore, each with its alignment."""
    if plan.detector is None:
        return []
    yield Progress(Stage.FINDING_FACES)
    (faces,) = yield Work(Role.DETECTOR, plan.detector, [in_8_bits(photo.pixels)])
    candidates = chosen(faces, plan.faces, photo.size)
    usable = [(face, m) for face in candidates if (m := alignment(face)) is not None]
    yield FacesFound(len(usable))
    return usable


def _restored_faces(
    photo: Photo, plan: Plan, found: list[tuple[DetectedFace, Matrix]], total: int
) -> Generator[Work | Event, Any, tuple[RestoredFace, ...]]:
    restored: list[RestoredFace] = []
    for done in range(0, len(found), plan.faces_at_once):
        yield Progress(Stage.RESTORING_FACES, done, total)
        assert plan.restorer is not None
        some = found[done : done + plan.faces_at_once]
        squares = np.stack([aligned(photo.pixels, matrix) for _, matrix in some])
        pixels = yield Work(Role.RESTORER, plan.restorer, squares)
        masks: Sequence[Mask | None] = [None] * len(some)
        if plan.parser is not None:
            are_face = yield Work(Role.PARSER, plan.parser, pixels)
            masks = [soft_mask(is_face) for is_face in are_face]
        restored.extend(
            RestoredFace(face, matrix, square, mask)
            for (face, matrix), square, mask in zip(some, pixels, masks, strict=True)
        )
    return tuple(restored)


def _enlarged(
    photo: Photo, plan: Plan, done: int, total: int
) -> Generator[Work | Event, Any, Pixels]:
    """The photo at the output's size, tile by tile."""
    if plan.upscaler is None:
        if total:  # the last face is done
            yield Progress(Stage.ENLARGING, total, total)
        return resized(photo.pixels, plan.output)
    kept = plan.kept_size
    whole = np.empty((kept.height, kept.width, 3), photo.pixels.dtype)
    for tiles in together(plan.tiles, plan.tiles_at_once):
        yield Progress(Stage.ENLARGING, done, total)
        pieces = np.stack([photo.pixels[tile.padded.slices] for tile in tiles])
        enlarged = yield Work(Role.UPSCALER, plan.upscaler, pieces, plan.denoise)
        for tile, large in zip(tiles, enlarged, strict=True):
            place, pixels = _reduced(large, tile, plan)
            whole[place.slices] = pixels
        done += len(tiles)
    yield Progress(Stage.ENLARGING, total, total)
    return resized(whole, plan.output)


def together(tiles: Iterable[Tile], most: int) -> Iterator[list[Tile]]:
    """The tiles in groups that the network sees equally large, of ``most`` at most.

    A group comes as soon as it is full, so that one by one they keep their order.
    """
    begun: dict[Size, list[Tile]] = {}
    for tile in tiles:
        group = begun.setdefault(tile.padded.size, [])
        group.append(tile)
        if len(group) == most:
            yield begun.pop(tile.padded.size)
    yield from begun.values()


def _reduced(large: Pixels, tile: Tile, plan: Plan) -> tuple[Region, Pixels]:
    """What a tile contributes to the picture that is kept, and where.

    Made smaller tile by tile, the photo never lies at the network's size as a whole. A margin
    gives the kernel what it sees around, so that the result is that of the whole.
    """
    scale, by = plan.network_scale, plan.reduction
    core = tile.core.scaled(scale)
    if by == 1:
        return core, large[core.relative_to(tile.padded.scaled(scale)).slices]
    seen = core.grown(KERNEL_REACH * by, plan.source.scaled(scale)).within(
        tile.padded.scaled(scale)
    )
    piece = large[seen.relative_to(tile.padded.scaled(scale)).slices]
    small = resized(piece, Size(seen.width // by, seen.height // by))
    place = core.divided(by)
    return place, small[place.relative_to(seen.divided(by)).slices]


def resized(pixels: Pixels, size: Size) -> Pixels:
    """Resample to ``size`` as the reference does; by averaging where it shrinks strongly."""
    height, width = pixels.shape[:2]
    if (width, height) == (size.width, size.height):
        return pixels
    strongly = size.width < width * STRONG_SHRINK or size.height < height * STRONG_SHRINK
    kernel = cv2.INTER_AREA if strongly else cv2.INTER_LANCZOS4
    return cv2.resize(pixels, (size.width, size.height), interpolation=kernel)  # type: ignore[return-value]


def shrunk(photo: Photo, size: Size) -> Photo:
    """The photo at a smaller size; its pixels as they are where that is its size."""
    alpha = None if photo.alpha is None else resized(photo.alpha, size)
    return photo.with_pixels(resized(photo.pixels, size), alpha)


def without_colour(pixels: Pixels) -> Pixels:
    """Every pixel as gray as it is bright (Rec. 601 luma), still in three channels."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.repeat(gray[:, :, None], 3, axis=2)  # type: ignore[return-value]
