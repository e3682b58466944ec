from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.geometry import GRID_PX, Region, Size, Tile, even_tiles_of, tiles_of

sides = st.integers(1, 90)
sizes = st.builds(Size, sides, sides)


@st.composite
def regions_within(draw: st.DrawFn, size: Size) -> Region:
    left, top = draw(st.integers(0, size.width - 1)), draw(st.integers(0, size.height - 1))
    width = draw(st.integers(1, size.width - left))
    return Region(left, top, width, draw(st.integers(1, size.height - top)))


placed = sizes.flatmap(lambda size: st.tuples(st.just(size), regions_within(size)))
"""A size and a region that lies inside it."""


def numbered(size: Size) -> np.ndarray:
    """A picture in which no two pixels are alike."""
    return np.arange(size.pixels).reshape(size.height, size.width)


def contains(outer: Region, inner: Region) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.right <= outer.right
        and inner.bottom <= outer.bottom
    )


# Sizes


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (-3, 5), (5, -3), (0, 0)])
def test_a_size_has_at_least_one_pixel_a_side(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        Size(width, height)


def test_a_size_tells_its_area_and_its_name() -> None:
    size = Size(4000, 3000)
    assert size.pixels == 12_000_000
    assert size.megapixels == 12.0
    assert str(size) == "4000x3000"


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1, Size(301, 7)),
        (2, Size(602, 14)),
        (1.5, Size(451, 10)),  # 451.5 and 10.5: cut, as the reference's int() does
        (2.99, Size(899, 20)),
        (0.1, Size(30, 1)),  # 0.7 of a pixel is still one
    ],
)
def test_a_scaled_size_is_cut_to_whole_pixels(factor: float, expected: Size) -> None:
    assert Size(301, 7).scaled(factor) == expected


@given(size=sizes, factor=st.floats(0.001, 8))
def test_a_scaled_size_is_the_largest_that_does_not_exceed_the_factor(
    size: Size, factor: float
) -> None:
    scaled = size.scaled(factor)
    for before, after in ((size.width, scaled.width), (size.height, scaled.height)):
        assert after == 1 or after <= before * factor
        assert before * factor < after + 1


# Regions


@given(placed)
def test_slices_cut_out_what_the_region_says(given_: tuple[Size, Region]) -> None:
    size, region = given_
    cut = numbered(size)[region.slices]
    assert cut.shape == (region.height, region.width)
    assert cut[0, 0] == region.y * size.width + region.x
    assert cut[-1, -1] == (region.bottom - 1) * size.width + region.right - 1
    assert region.size == Size(region.width, region.height)


@given(placed, st.integers(0, 100))
def test_a_grown_region_takes_all_that_is_near_and_inside(
    given_: tuple[Size, Region], px: int
) -> None:
    size, region = given_
    near = np.zeros((size.height, size.width), bool)
    for y in range(size.height):
        for x in range(size.width):
            near[y, x] = (
                region.x - px <= x < region.right + px and region.y - px <= y < region.bottom + px
            )
    inside = np.zeros_like(near)
    inside[region.grown(px, size).slices] = True
    np.testing.assert_array_equal(inside, near)


@given(placed, st.integers(1, 8))
def test_a_scaled_region_lies_at_the_same_place_of_the_enlarged_picture(
    given_: tuple[Size, Region], factor: int
) -> None:
    size, region = given_
    small = numbered(size)

    def enlarged(picture: np.ndarray) -> np.ndarray:
        return picture.repeat(factor, axis=0).repeat(factor, axis=1)

    np.testing.assert_array_equal(
        enlarged(small)[region.scaled(factor).slices], enlarged(small[region.slices])
    )


@given(placed, st.integers(0, 30))
def test_a_relative_region_finds_itself_inside_the_outer_one(
    given_: tuple[Size, Region], px: int
) -> None:
    size, region = given_
    picture, outer = numbered(size), region.grown(px, size)
    np.testing.assert_array_equal(
        picture[outer.slices][region.relative_to(outer).slices], picture[region.slices]
    )


# Tiles


@given(size=sizes, tile_px=st.integers(1, 100), overlap_px=st.integers(0, 40))
def test_tiles_cover_every_pixel_exactly_once(size: Size, tile_px: int, overlap_px: int) -> None:
    covered = np.zeros((size.height, size.width), int)
    for tile in tiles_of(size, tile_px, overlap_px):
        covered[tile.core.slices] += 1
        assert 1 <= tile.core.width <= tile_px
        assert 1 <= tile.core.height <= tile_px
    np.testing.assert_array_equal(covered, 1)


@given(size=sizes, tile_px=st.integers(1, 100), overlap_px=st.integers(0, 40))
def test_a_padded_tile_holds_its_core_and_stays_inside(
    size: Size, tile_px: int, overlap_px: int
) -> None:
    whole = Region(0, 0, size.width, size.height)
    for tile in tiles_of(size, tile_px, overlap_px):
        assert contains(tile.padded, tile.core)
        assert contains(whole, tile.padded)
        # On each side it has the whole overlap, or it ends where the picture ends.
        assert tile.core.x - tile.padded.x == overlap_px or tile.padded.x == 0
        assert tile.core.y - tile.padded.y == overlap_px or tile.padded.y == 0
        assert tile.padded.right - tile.core.right == overlap_px or (
            tile.padded.right == size.width
        )
        assert tile.padded.bottom - tile.core.bottom == overlap_px or (
            tile.padded.bottom == size.height
        )


@given(size=sizes, tile_px=st.integers(1, 100))
def test_tiles_go_row_by_row(size: Size, tile_px: int) -> None:
    corners = [(tile.core.y, tile.core.x) for tile in tiles_of(size, tile_px, 3)]
    assert corners == sorted(corners)


def test_one_tile_where_the_picture_fits() -> None:
    whole = Region(0, 0, 30, 20)
    assert tiles_of(Size(30, 20), 30, 10) == (Tile(whole, whole),)


@pytest.mark.parametrize("overlap_px", [0, 10])
@pytest.mark.parametrize("size", [Size(100, 75), Size(96, 64), Size(31, 200), Size(5, 3)])
def test_the_tiles_are_those_of_the_reference(
    size: Size, overlap_px: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real tile_process on a picture of numbers: the network tells what it is shown."""
    torch = pytest.importorskip("torch")
    from photoenhance_ui.networks.on_torch.basicsr_repair import repair

    repair()
    reason = "realesrgan cannot be installed from Python 3.13 on"
    reference = pytest.importorskip("realesrgan", reason=reason)

    shown: list[Region] = []

    def network(tile: Any) -> Any:
        first = int(tile[0, 0, 0, 0])
        shown.append(Region(first % size.width, first // size.width, tile.shape[3], tile.shape[2]))
        return torch.full_like(tile, len(shown))

    picture = torch.from_numpy(numbered(size).astype(np.float32))[None, None]
    theirs = SimpleNamespace(img=picture, scale=1, tile_size=32, tile_pad=overlap_px, model=network)
    reference.RealESRGANer.tile_process(theirs)
    assert f"/{len(shown)}\n" in capsys.readouterr().out  # it prints, and that is caught here

    ours = tiles_of(size, 32, overlap_px)
    assert [tile.padded for tile in ours] == shown
    whose = np.zeros((size.height, size.width))
    for number, tile in enumerate(ours, start=1):
        whose[tile.core.slices] = number
    np.testing.assert_array_equal(theirs.output[0, 0].numpy(), whose)


@given(st.integers(1, 900), st.integers(1, 900), st.integers(8, 300), st.integers(0, 40))
def test_even_tiles_cover_each_pixel_once_and_none_is_a_strip(
    width: int, height: int, tile_px: int, overlap_px: int
) -> None:
    size = Size(width, height)
    tiles = even_tiles_of(size, tile_px, overlap_px)
    count = np.zeros((height, width), np.uint8)
    for tile in tiles:
        count[tile.core.slices] += 1
        assert tile.padded == tile.core.grown(overlap_px, size)
        for side, whole in ((tile.core.width, width), (tile.core.height, height)):
            assert side <= 1.5 * tile_px + GRID_PX
            assert side == whole or side >= 0.75 * tile_px - GRID_PX
        assert tile.core.x % GRID_PX == tile.core.y % GRID_PX == 0
    assert (count == 1).all()


def test_a_part_within_another_region() -> None:
    assert Region(2, 3, 10, 10).within(Region(5, 0, 4, 8)) == Region(5, 3, 4, 5)
    assert Region(8, 4, 12, 16).divided(4) == Region(2, 1, 3, 4)
