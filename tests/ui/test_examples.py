"""Photos for a first look."""

from pathlib import Path

from PIL import Image

from photoenhance_ui.ui.examples import EXAMPLES, LONGEST_PX, written_examples


def test_examples_are_small_photos_that_are_written_once(tmp_path: Path) -> None:
    paths = written_examples(tmp_path / "examples")
    assert tuple(paths) == EXAMPLES
    for path in paths.values():
        with Image.open(path) as image:
            assert image.format == "JPEG" and max(image.size) == LONGEST_PX
    written = [path.stat().st_mtime_ns for path in paths.values()]
    assert written_examples(tmp_path / "examples") == paths
    assert [path.stat().st_mtime_ns for path in paths.values()] == written
