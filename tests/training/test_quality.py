"""The yardstick itself: known values, the custom of the field, and figures that can be repeated."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks import quality
from benchmarks.quality import DAMAGES, Picture, damaged, luma, luma_psnr_db, resampled, ssim
from photoenhance_ui.weights.inventory import BUILTIN_FILE
from testing.photos import skimage_photo

DATA = Path(__file__).parents[3] / "shared" / "data"
HERE = pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared evaluation photos")


def test_luma_is_that_of_bt601() -> None:
    colours = {(0, 0, 0): 16, (255, 255, 255): 235, (255, 0, 0): 81.481, (0, 0, 255): 40.966}
    for colour, expected in colours.items():
        flat = np.tile(np.array(colour, np.uint8), (12, 12, 1))
        assert luma(flat) == pytest.approx(np.full((4, 4), expected), abs=1e-3)


def test_psnr_of_a_known_error() -> None:
    gray = np.full((32, 32, 3), 100, np.uint8)
    # One level of all three colours is 219/255 of a level of luma.
    assert luma_psnr_db(gray, gray + 1) == pytest.approx(20 * np.log10(255 * 255 / 219), abs=1e-3)
    assert luma_psnr_db(gray, gray) == 99


def test_the_border_does_not_count() -> None:
    photo = skimage_photo("coffee", 64)
    framed = photo.copy()
    framed[:4], framed[:, -4:] = 0, 255
    assert luma_psnr_db(photo, framed) == 99
    assert ssim(photo, framed) == pytest.approx(1)


def test_damages_are_the_same_by_seed_and_worse_by_name() -> None:
    sharp = skimage_photo("coffee", 256)

    def result(kind: str, seed: int = 0) -> Picture:
        return damaged(sharp, DAMAGES[kind], np.random.default_rng(seed))

    assert np.array_equal(result("hard"), result("hard"))
    assert not np.array_equal(result("hard"), result("hard", seed=1))
    scores = [luma_psnr_db(sharp, resampled(result(kind), cv2.INTER_CUBIC)) for kind in DAMAGES]
    assert scores == sorted(scores, reverse=True)


@HERE
@pytest.mark.parametrize(
    ("kind", "expected_db", "expected_ssim"),
    [("clean", 27.28, 0.726), ("mild", 26.47, 0.673), ("hard", 25.49, 0.630)],
)
def test_bicubic_has_the_figures_that_the_project_knows(
    kind: str, expected_db: float, expected_ssim: float
) -> None:
    scores = []
    for index, path in enumerate(sorted((DATA / "eval" / "kodak24").glob("*.png"))):
        sharp = quality.read(path)
        small = damaged(sharp, DAMAGES[kind], np.random.default_rng([quality.SEED, index]))
        enlarged = resampled(small, cv2.INTER_CUBIC)
        scores.append((luma_psnr_db(sharp, enlarged), ssim(sharp, enlarged)))
    assert np.mean(scores, axis=0) == pytest.approx([expected_db, expected_ssim], abs=0.015)


def test_the_command_measures_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    (data / "eval" / "kodak24").mkdir(parents=True)
    quality.write(data / "eval" / "kodak24" / "04.png", skimage_photo("coffee", 400))
    (data / "photos" / "old").mkdir(parents=True)
    quality.write(data / "photos" / "old" / "a.png", skimage_photo("coffee", 96))
    out = tmp_path / "out"
    quality.main(["--data", str(data), "--out", str(out), "--device", "cpu"])
    assert "| builtin |" in capsys.readouterr().out
    figures = json.loads((out / "quality.json").read_text())
    assert {(row["enlarger"], row["damage"], row["part"]) for row in figures["rows"]} == {
        (name, kind, "photos") for name in ("bicubic", "lanczos", "builtin") for kind in DAMAGES
    }
    assert figures["faces"] == 0  # without the detector's file
    assert set(figures["seconds_1080x1440"]) == {"exact", "fast"}
    assert all(seconds > 0 for seconds in figures["seconds_1080x1440"].values())
    assert figures["builtin_sha256"] in BUILTIN_FILE.with_suffix(".md").read_text()
    assert quality.read(out / "quality-old.png").shape[1] == 3 * quality.SHEET_CROP_PX
    assert (out / "quality-kodak.png").is_file()


def test_without_photos_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--data"):
        quality.main(["--data", str(tmp_path)])
