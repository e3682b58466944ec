"""Sizes, regions and tilings: arithmetic on whole pixels, nothing else."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

GRID_PX = 4
"""Tiles begin at multiples of it: the largest fold of pixels that is known of an upscaler."""


@dataclass(frozen=True)
class Size:
    """Width and height in pixels, both at least 1."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a size needs at least one pixel a side, not {self}")

    @property
    def pixels(self) -> int:
        """The area in pixels."""
        return self.width * self.height

    @property
    def megapixels(self) -> float:
        """The area in millions of pixels."""
        return self.pixels / 1e6

    def scaled(self, factor: float) -> "Size":
        """Each side times ``factor``, cut to whole pixels as the reference does, at least 1."""
        return Size(max(1, int(self.width * factor)), max(1, int(self.height * factor)))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class Region:
    """A rectangle: left, top, width and height in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """One past the last column."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """One past the last row."""
        return self.y + self.height

    @property
    def size(self) -> Size:
        """Its size without its place."""
        return Size(self.width, self.height)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array of (height, width, …)."""
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def grown(self, px: int, within: Size) -> "Region":
        """The region with ``px`` more on each side, cut at the borders of ``within``."""
        left, top = max(0, self.x - px), max(0, self.y - px)
        right, bottom = min(within.width, self.right + px), min(within.height, self.bottom + px)
        return Region(left, top, right - left, bottom - top)

    def scaled(self, factor: int) -> "Region":
        """The same place in a picture ``factor`` times as large."""
        return Region(self.x * factor, self.y * factor, self.width * factor, self.height * factor)

    def within(self, outer: "Region") -> "Region":
        """The part that lies in ``outer``, which it must touch."""
        left, top = max(self.x, outer.x), max(self.y, outer.y)
        right, bottom = min(self.right, outer.right), min(self.bottom, outer.bottom)
        return Region(left, top, right - left, bottom - top)

    def divided(self, by: int) -> "Region":
        """The same place in a picture ``by`` times as small; all four numbers must divide."""
        return Region(self.x // by, self.y // by, self.width // by, self.height // by)

    def relative_to(self, outer: "Region") -> "Region":
        """The same place, counted from the top left corner of ``outer``."""
        return Region(self.x - outer.x, self.y - outer.y, self.width, self.height)


@dataclass(frozen=True)
class Tile:
    """One piece of a picture: what it contributes, and what the network must see for that."""

    core: Region
    padded: Region


def even_tiles_of(size: Size, tile_px: int, overlap_px: int) -> tuple[Tile, ...]:
    """Cut ``size`` into about as many tiles as ``tiles_of``, all of about one size, row by row.

    A side is cut into as many parts as come nearest to ``tile_px``, so that no narrow strip is
    left over that would be mostly overlap; a part is about one and a half ``tile_px`` long at most.
    Parts begin at multiples of ``GRID_PX``, because networks that fold pixels see a grid.
    """
    rows, columns = (_even_parts(side, tile_px) for side in (size.height, size.width))
    cores = (
        Region(left, top, right - left, bottom - top)
        for top, bottom in rows
        for left, right in columns
    )
    return tuple(Tile(core, core.grown(overlap_px, size)) for core in cores)


def _even_parts(length: int, part_px: int) -> list[tuple[int, int]]:
    count = max(1, round(length / part_px))
    inner = [length * index // count // GRID_PX * GRID_PX for index in range(1, count)]
    return list(pairwise([0, *inner, length]))


def tiles_of(size: Size, tile_px: int, overlap_px: int) -> tuple[Tile, ...]:
    """Cut ``size`` into tiles, row by row.

    Cores are ``tile_px`` a side (smaller at the right and lower border), touch each other and
    cover the picture exactly once; each is seen with ``overlap_px`` more on every side that
    lies inside the picture. This is the tiling of ``RealESRGANer.tile_process``.
    """
    cores = (
        Region(x, y, min(tile_px, size.width - x), min(tile_px, size.height - y))
        for y in (row * tile_px for row in range(ceil(size.height / tile_px)))
        for x in (column * tile_px for column in range(ceil(size.width / tile_px)))
    )
    return tuple(Tile(core, core.grown(overlap_px, size)) for core in cores)
