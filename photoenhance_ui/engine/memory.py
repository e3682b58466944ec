"""How much memory is left, and how large tiles and batches may be for it."""

import ctypes
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from photoenhance_ui.catalogue import CATALOGUE, Architecture, Role, logged_name
from photoenhance_ui.geometry import Tile, even_tiles_of
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.pipeline.plan import EngineFacts, Plan, UpscalerFacts, tile_px_for
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.settings import TILE_LADDER_PX

log = logging.getLogger(__name__)

SMALLER_TILES = "Memory was short, so the photo was enlarged in smaller pieces (of {px} pixels)."
MAX_TILE_SHARE = 0.5
"""The share of the memory that is left which a tile may take; photos and results need theirs."""
MAX_TILE_STRETCH = 1.5
"""A tile is at most so many times as long as the step of the ladder says."""
FEATURE_BYTES = 64 * 4
"""What one layer of features takes at one pixel: 64 channels of 32 bits."""
LAYERS = 2
"""They lie in memory at once: what goes into a convolution, and what comes out."""
COLOUR_BYTES = 3 * 4

_COMPACT = frozenset(
    (BUILTIN, *(file.name for file in CATALOGUE if file.architecture is Architecture.SRVGG))
)
"""Upscalers with features at the photo's size only; others have them at the result's, too."""


class TileSizes:
    """How large the tiles of each upscaler may be on this machine.

    A step of the ladder goes down where memory is short, and stays down: a photo that is enhanced
    again has the same tiles. For one thread.
    """

    def __init__(self, available_bytes: int | None) -> None:
        """``available_bytes`` is what was left at the start; None: nobody knows."""
        self._available = available_bytes
        self._steps: dict[str, int] = {}

    def fitted(self, plan: Plan, facts: EngineFacts) -> Plan:
        """The plan with tiles that there is memory for; a warning says where that changed them."""
        if plan.upscaler is None:
            return plan
        step = self._step(plan.upscaler, facts)
        tiles = _tiles(plan, facts, step)
        if step >= _full_step(plan.upscaler, facts) or tiles == plan.tiles:
            return plan
        return replace(
            plan, tiles=tiles, warnings=(*plan.warnings, SMALLER_TILES.format(px=step))
        )  # fmt: skip

    def lower(self, plan: Plan, facts: EngineFacts) -> bool:
        """Memory ran out: take the next step with smaller tiles; False where there is none."""
        assert plan.upscaler is not None
        if _largest(self.fitted(plan, facts).tiles) < _largest(plan.tiles):
            return True  # another photo's took the step after this plan was made
        for step in TILE_LADDER_PX:
            is_lower = step < self._step(plan.upscaler, facts)
            if is_lower and _largest(_tiles(plan, facts, step)) < _largest(plan.tiles):
                self._steps[plan.upscaler] = step
                return True
        return False

    def _step(self, upscaler: str, facts: EngineFacts) -> int:
        full = _full_step(upscaler, facts)
        if upscaler not in self._steps:
            self._steps[upscaler] = self._first_step(upscaler, facts, full)
        return min(full, self._steps[upscaler])

    def _first_step(self, upscaler: str, facts: EngineFacts, full: int) -> int:
        # A GPU has memory of its own, of which nothing is known here.
        if self._available is None or facts.device != "cpu":
            return full
        room, steps = self._available * MAX_TILE_SHARE, [px for px in TILE_LADDER_PX if px <= full]
        known = facts.upscalers[upscaler]
        return next((px for px in steps if tile_bytes(upscaler, known, px) <= room), steps[-1])


class BatchSizes:
    """How many pictures each network computes in one batch.

    One by one where memory ran out over several, and so until the program ends: what they give is
    the same, so no report tells of it. For one thread.
    """

    def __init__(self, tiles: int, faces: int) -> None:
        """``tiles`` and ``faces`` are what the device takes at most."""
        self._max_pictures = {Role.UPSCALER: tiles, Role.RESTORER: faces, Role.PARSER: faces}
        self._singly: set[str | None] = set()

    def max_pictures(self, work: Work) -> int:
        """How many pictures one batch of such work may hold."""
        return 1 if work.network in self._singly else self._max_pictures.get(work.role, 1)

    def lower(self, network: str) -> None:
        """Memory ran out over several pictures: from now on one by one."""
        self._singly.add(network)
        log.warning("batches_lowered network=%s", logged_name(network))

    def fitted(self, plan: Plan) -> Plan:
        """The plan with batches that there is memory for, so that a cancel waits for no more."""
        if plan.upscaler in self._singly:
            plan = replace(plan, tiles_at_once=1)
        if {plan.restorer, plan.parser} & self._singly:
            plan = replace(plan, faces_at_once=1)
        return plan


def tile_bytes(name: str, upscaler: UpscalerFacts, tile_px: int) -> int:
    """About what the largest tile of that step takes while it is computed in 32 bits."""
    side = int(MAX_TILE_STRETCH * tile_px) + 2 * upscaler.overlap_px
    larger = upscaler.scale**2
    features = LAYERS * FEATURE_BYTES * (1 if name in _COMPACT else larger)
    return side * side * (features + LAYERS * COLOUR_BYTES * larger)


def _full_step(upscaler: str, facts: EngineFacts) -> int:
    return facts.tile_px or tile_px_for(facts.upscalers[upscaler], facts.device)


def _tiles(plan: Plan, facts: EngineFacts, step: int) -> tuple[Tile, ...]:
    assert plan.upscaler is not None
    return even_tiles_of(plan.source, step, facts.upscalers[plan.upscaler].overlap_px)


def _largest(tiles: tuple[Tile, ...]) -> int:
    return max(tile.padded.size.pixels for tile in tiles)


def give_back_freed() -> None:
    """Return memory that was freed to the system, where the C library keeps it for later.

    glibc keeps blocks of up to 32 MB (mallopt(3)): a third of a gigabyte after faces were looked
    for. Returning all of them always would make that search three times as slow.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):  # another C library
        return


# What the system tells


def available_bytes(root: Path = Path("/")) -> int | None:
    """Memory that the machine and its container leave to us; None where the system says nothing.

    Linux: what could be had without swapping, and what is left of the limits of control groups.
    """
    cgroup = root / "sys/fs/cgroup"
    told = (
        _of_machine(root / "proc/meminfo"),
        _of_group(cgroup / "memory.max", cgroup / "memory.current"),
        _of_group(cgroup / "memory/memory.limit_in_bytes", cgroup / "memory/memory.usage_in_bytes"),
    )
    return min((left for left in told if left is not None), default=None)


def _of_machine(meminfo: Path) -> int | None:
    kilobytes = next(_numbers_of("MemAvailable:", meminfo), None)
    return None if kilobytes is None else kilobytes * 1024


def _of_group(limit: Path, used: Path) -> int | None:
    """The limit less what is used; files that were read and can be forgotten are not used."""
    most, now = (next(_numbers_of("", path), None) for path in (limit, used))
    if most is None or now is None:
        return None
    stat = limit.with_name("memory.stat")
    forgettable = max(
        (b for key in ("inactive_file ", "total_inactive_file ") for b in _numbers_of(key, stat)),
        default=0,
    )
    return max(0, most - now + forgettable)


def _numbers_of(key: str, path: Path) -> Iterator[int]:
    """The number after ``key`` in each line that begins with it; none of a word such as "max"."""
    try:
        lines = path.read_text("ascii", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        number = line.removeprefix(key).split()[:1]
        if line.startswith(key) and number and number[0].isdigit():
            yield int(number[0])
