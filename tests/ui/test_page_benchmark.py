"""The arithmetic of the benchmark of the page."""

from pathlib import Path

from PIL import Image

from benchmarks.page import SIDE_PX, Sample, gaps_ms, small_photos, summary, thirds


def test_mutations_near_each_other_are_one_drawing() -> None:
    assert gaps_ms([0, 1, 2, 500, 501, 1100]) == [500, 600]
    assert gaps_ms([]) == []


def test_the_first_and_the_last_third_stand_beside_each_other() -> None:
    assert thirds([1, 2, 3, 40, 7, 8, 9]) == {"first_third": 1.5, "last_third": 8.5}
    assert thirds([1, 2]) == {"first_third": None, "last_third": None}


def test_photos_differ(tmp_path: Path) -> None:
    paths = small_photos(tmp_path, 9)
    assert len({path.read_bytes() for path in paths}) == 9
    with Image.open(paths[0]) as image:
        assert image.size == (SIDE_PX, SIDE_PX)


def test_the_summary_counts_what_was_seen() -> None:
    samples = [Sample(float(n), n, 10.0 + n, 100 * n, 5.0 * n) for n in range(1, 7)]
    told = summary(samples, {"drawn": [0, 500, 1000], "tasks": [60.0, 80.0]})
    assert told["slowest_response_ms"] == 30.0
    assert told["heap_mb"] == {"first_third": 11.5, "last_third": 15.5}
    assert told["long_tasks"] == {"count": 2, "longest_ms": 80.0}
