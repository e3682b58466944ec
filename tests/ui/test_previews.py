"""Pictures that a browser can show."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photoenhance_ui.batches.batch import Batch
from photoenhance_ui.batches.storage import Workspace
from photoenhance_ui.engine.interface import Engine
from photoenhance_ui.request import OutputFormat, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.ui.cards import PictureKind
from photoenhance_ui.ui.previews import (
    CARD_PX,
    THUMB_PX,
    card_picture,
    made_thumbnail,
    make_thumbnail,
    viewer_original,
    viewer_result,
)
from testing.driver import run_to_end
from testing.photos import PhotoMaker, skimage_photo


def batch_of(engine: Engine, settings: Settings, tmp_path: Path, **wish: object) -> Batch:
    request = Request.from_options({"upscaler": "builtin", **wish})
    return Batch(engine, "me", request, Workspace(tmp_path / "b").new_batch(), settings)


@pytest.fixture
def finished(
    engine: Engine, settings: Settings, photo_file: PhotoMaker, tmp_path: Path
) -> tuple[Batch, str]:
    """A batch with one photo, written as TIFF."""
    batch = batch_of(engine, settings, tmp_path, output_format=OutputFormat.TIFF)
    photo_id = batch.add(photo_file("chelsea", 40, "my_enhanced.png"))
    run_to_end(batch)
    return batch, photo_id


def test_what_a_browser_shows_is_looked_at_as_it_is(tmp_path: Path, settings: Settings) -> None:
    for suffix in (".jpg", ".png", ".webp", ".avif"):
        path = tmp_path / f"x_enhanced{suffix}"
        assert viewer_result(path, settings) == path


def test_a_tiff_gets_a_preview_that_is_made_once(
    finished: tuple[Batch, str], settings: Settings
) -> None:
    (result,) = finished[0].finished
    shown = viewer_result(result, settings)
    assert shown is not None and shown != result
    with Image.open(shown) as image:
        assert image.size == (80, 80)
    made = shown.stat().st_mtime_ns
    assert viewer_result(result, settings) == shown
    assert shown.stat().st_mtime_ns == made


def test_only_a_final_says_that_it_is_enhanced(
    finished: tuple[Batch, str], settings: Settings
) -> None:
    batch, photo_id = finished
    final = card_picture(batch, photo_id, settings)
    assert final is not None and final.kind is PictureKind.FINAL
    assert "_enhanced" in final.path.name
    original = viewer_original(batch, photo_id, settings)
    assert original is not None and "_enhanced" not in str(original)


def test_a_large_result_is_previewed_in_its_card(
    engine: Engine, settings: Settings, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    batch = batch_of(engine, settings, tmp_path, scale=8.0)
    small = batch.add(photo_file("coffee", 20))
    wide = tmp_path / "wide.png"
    Image.fromarray(skimage_photo("coffee")[:40]).resize((400, 90)).save(wide)
    large = batch.add(wide)
    run_to_end(batch)
    shown = card_picture(batch, small, settings)
    assert shown is not None and str(shown.path) == batch.row(small).output
    shown = card_picture(batch, large, settings)
    assert shown is not None and "_enhanced" in shown.path.name
    with Image.open(shown.path) as image:
        assert image.width == CARD_PX


def test_the_original_is_shown_and_none_where_it_is_gone(
    finished: tuple[Batch, str], settings: Settings
) -> None:
    batch, photo_id = finished
    shown = viewer_original(batch, photo_id, settings)
    assert shown is not None
    with Image.open(shown) as image:
        assert image.size == (40, 40)
    shown.unlink()
    original = batch.original(photo_id)
    assert original is not None
    original.unlink()
    assert viewer_original(batch, photo_id, settings) is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_thumbnail_is_small_and_upright(
    engine: Engine, settings: Settings, tmp_path: Path, suffix: str
) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    path = tmp_path / f"turned{suffix}"
    Image.fromarray(skimage_photo("coffee")).resize((1500, 1000)).save(path, exif=turned)
    batch = batch_of(engine, settings, tmp_path)
    photo_id = batch.add(path)
    assert card_picture(batch, photo_id, settings) is None
    make_thumbnail(batch, photo_id, settings)
    shown = card_picture(batch, photo_id, settings)
    assert shown is not None and shown.kind is PictureKind.ORIGINAL
    with Image.open(shown.path) as image:
        assert image.height == THUMB_PX and image.width < image.height


def test_what_is_no_photo_has_no_thumbnail(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    text, cut = tmp_path / "text.jpg", tmp_path / "cut.jpg"
    text.write_text("no picture")
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    batch = batch_of(engine, settings, tmp_path)
    for photo_id in (batch.add(text), batch.add(cut)):
        make_thumbnail(batch, photo_id, settings)
        assert made_thumbnail(batch, photo_id) is None
