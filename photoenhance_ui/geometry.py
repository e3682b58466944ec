"""Sizes, regions and tilings: arithmetic on whole pixels, nothing else."""

from dataclasses import dataclass
from math import ceil


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

    def relative_to(self, outer: "Region") -> "Region":
        """The same place, counted from the top left corner of ``outer``."""
        return Region(self.x - outer.x, self.y - outer.y, self.width, self.height)


@dataclass(frozen=True)
class Tile:
    """One piece of a picture: what it contributes, and what the network must see for that."""

    core: Region
    padded: Region


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
