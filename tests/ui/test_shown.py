"""Pictures that a browser can show."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from photoenhance_ui.batch import Batch
from photoenhance_ui.engine import Engine
from photoenhance_ui.request import OutputFormat, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.storage import Workspace
from photoenhance_ui.ui.shown import PREVIEW_PX, shown_original, shown_result
from tests.conftest import PhotoMaker


@pytest.fixture
def finished(
    engine: Engine, settings: Settings, photo_file: PhotoMaker, tmp_path: Path
) -> tuple[Batch, str]:
    """A batch with one photo, written as TIFF."""
    wish = Request(upscaler="builtin", output_format=OutputFormat.TIFF)
    batch = Batch(engine, "me", wish, Workspace(tmp_path / "b").new_batch(), settings)
    photo_id = batch.add(photo_file("chelsea", 40))

    async def run() -> None:
        async for _ in batch.changes():
            pass

    asyncio.run(run())
    return batch, photo_id


def test_what_a_browser_shows_is_shown_as_it_is(tmp_path: Path, settings: Settings) -> None:
    for suffix in (".jpg", ".png", ".webp", ".avif"):
        path = tmp_path / f"x_enhanced{suffix}"
        assert shown_result(path, settings) == path


def test_a_tiff_gets_a_preview_that_is_made_once(
    finished: tuple[Batch, str], settings: Settings
) -> None:
    (result,) = finished[0].finished
    shown = shown_result(result, settings)
    assert shown is not None and shown != result
    with Image.open(shown) as image:
        assert image.size == (80, 80)
    made = shown.stat().st_mtime_ns
    assert shown_result(result, settings) == shown
    assert shown.stat().st_mtime_ns == made


def test_the_original_is_shown_and_none_where_it_is_gone(
    finished: tuple[Batch, str], settings: Settings
) -> None:
    batch, photo_id = finished
    shown = shown_original(batch, photo_id, settings)
    assert shown is not None
    with Image.open(shown) as image:
        assert image.size == (40, 40)
    shown.unlink()
    original = batch.original(photo_id)
    assert original is not None
    original.unlink()
    assert shown_original(batch, photo_id, settings) is None


def test_previews_are_no_larger_than_a_screen(
    finished: tuple[Batch, str], settings: Settings, tmp_path: Path
) -> None:
    wide = tmp_path / "wide_enhanced.tif"
    Image.new("RGB", (3 * PREVIEW_PX, 40)).save(wide)
    shown = shown_result(wide, replace(settings))
    assert shown is not None
    with Image.open(shown) as image:
        assert image.width == PREVIEW_PX
