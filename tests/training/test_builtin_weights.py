"""The committed network: the file its card tells of, what it gave then, and better than bicubic."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors import safe_open

pytest.importorskip("torch")

from safetensors.torch import load_file, save_file

from benchmarks.quality import (
    DAMAGES,
    Picture,
    damaged,
    luma_psnr_db,
    network_enlarger,
    resampled,
    ssim,
)
from photoenhance_ui.networks.calibration_pictures import crops
from photoenhance_ui.networks.on_openvino.calibration import VALIDATION_CROPS, calibrate_upscaler
from photoenhance_ui.networks.on_openvino.layers import Quantized
from photoenhance_ui.networks.on_openvino.loading import load_upscaler, quantized_beside
from photoenhance_ui.networks.on_openvino.quantized_files import read_quantized
from photoenhance_ui.networks.similarity import is_near, upscaler_psnr_db
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed
from testing.photos import skimage_photo
from tests.training.fixed_case import REMEMBERED, cells
from training.card import card
from training.export import raw_beside
from training.quantize import quantize

MAX_BYTES = 3_000_000
MAX_PARAMETERS = 700_000
# classic-astronaut is a training photo: none of these is.
UNSEEN = ("chelsea", "coffee", "rocket")

CARD = BUILTIN_FILE.with_suffix(".md")


@pytest.fixture(scope="module")
def enlarge() -> Callable[[Picture], Picture]:
    return network_enlarger("builtin", BUILTIN_FILE, "cpu")


def piece(name: str) -> Picture:
    return skimage_photo(name, 256)


def test_the_card_is_of_this_file() -> None:
    sha256 = hashlib.sha256(BUILTIN_FILE.read_bytes()).hexdigest()
    assert f"SHA-256: `{sha256}`" in CARD.read_text()


def test_the_file_is_small_and_tells_its_recipe() -> None:
    assert BUILTIN_FILE.stat().st_size <= MAX_BYTES
    with safe_open(BUILTIN_FILE, framework="pt") as file:
        told = file.metadata()
        count = sum(file.get_tensor(key).numel() for key in list(file.keys()))
    assert count <= MAX_PARAMETERS
    assert told["architecture"] == "SRVGGNetCompact"
    assert int(told["scale"]) == 4
    assert int(told["steps"]) > 0
    assert "unknown" not in told["stages"]


def test_raw_weights_lie_beside_to_go_on_from() -> None:
    with (
        safe_open(BUILTIN_FILE, framework="pt") as averaged,
        safe_open(raw_beside(BUILTIN_FILE), framework="pt") as raw,
    ):
        assert list(raw.keys()) == list(averaged.keys())
        assert raw.metadata() == averaged.metadata()


def test_it_gives_what_it_gave_when_it_was_committed() -> None:
    remembered = json.loads(REMEMBERED.read_text())
    assert remembered["sha256"] == hashlib.sha256(BUILTIN_FILE.read_bytes()).hexdigest()
    assert np.abs(cells() - np.array(remembered["cells"])).max() < 0.5  # levels of 255


@pytest.mark.parametrize("name", UNSEEN)
@pytest.mark.parametrize("kind", ["mild", "hard"])
def test_it_beats_bicubic_on_photos_it_never_saw(
    enlarge: Callable[[Picture], Picture], name: str, kind: str
) -> None:
    sharp = piece(name)
    small = damaged(sharp, DAMAGES[kind], np.random.default_rng(0))
    ours, bicubic = enlarge(small), resampled(small, cv2.INTER_CUBIC)
    assert luma_psnr_db(sharp, ours) > luma_psnr_db(sharp, bicubic) + 0.1
    assert ssim(sharp, ours) > ssim(sharp, bicubic)


def test_clean_photos_come_nearer_to_the_truth_than_by_lanczos(
    enlarge: Callable[[Picture], Picture],
) -> None:
    gains = []
    for name in UNSEEN:
        sharp = piece(name)
        small = damaged(sharp, DAMAGES["clean"], np.random.default_rng(0))
        lanczos = resampled(small, cv2.INTER_LANCZOS4)
        gains.append(luma_psnr_db(sharp, enlarge(small)) - luma_psnr_db(sharp, lanczos))
    assert np.mean(gains) > 0.1
    assert min(gains) > -0.25  # fine fur is partly taken for noise: the card says so


@pytest.mark.parametrize("name", UNSEEN)
def test_colours_stay(enlarge: Callable[[Picture], Picture], name: str) -> None:
    small = damaged(piece(name), DAMAGES["clean"], np.random.default_rng(0))
    cast = enlarge(small).mean(axis=(0, 1)) - small.mean(axis=(0, 1))
    assert np.abs(cast).max() < 1  # level of 255


@pytest.mark.parametrize("level", [(0, 0, 0), (128, 128, 128), (255, 255, 255), (110, 150, 200)])
def test_a_flat_sky_shows_no_pattern(
    enlarge: Callable[[Picture], Picture], level: tuple[int, int, int]
) -> None:
    flat = np.tile(np.array(level, np.uint8), (32, 32, 1))
    inner = enlarge(flat)[16:-16, 16:-16].astype(float)  # the border meets zeros outside
    assert np.ptp(inner, axis=(0, 1)).max() <= 4
    assert np.abs(inner.mean(axis=(0, 1)) - level).max() < 2


def test_the_card_refuses_figures_of_another_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="another weight file"):
        card(BUILTIN_FILE, {"builtin_sha256": "0" * 64})


def test_its_8_bits_come_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    upscaler = load_upscaler(Installed(BUILTIN, BUILTIN_FILE), None)

    def fails(*_: object) -> Quantized:
        raise AssertionError("it was worked out before: python -m training.quantize")

    monkeypatch.setattr("photoenhance_ui.networks.on_openvino.calibration.quantized", fails)
    calibration = calibrate_upscaler(upscaler, 0.5)
    assert calibration.form == "8 bits"
    weights = upscaler.weights(0.5)
    assert {f"{name}.weight" for name in calibration.quantized} == {
        key for key, value in weights.items() if value.ndim == 4
    }


def test_8_bits_worked_out_anew_are_as_near_to_the_exact_network(tmp_path: Path) -> None:
    """They are not the same: a value that one processor rounds up another one rounds down.

    Each later convolution makes up for it, so that a quarter of its weights may differ by a step.
    """
    weights = tmp_path / BUILTIN_FILE.name
    shutil.copy(BUILTIN_FILE, weights)
    anew, kept = read_quantized(quantize(weights)), read_quantized(quantized_beside(BUILTIN_FILE))
    assert anew is not None
    assert kept is not None
    assert anew.metadata["fingerprint"] == kept.metadata["fingerprint"]
    assert list(anew.convolutions) == list(kept.convolutions)
    upscaler = load_upscaler(Installed(BUILTIN, BUILTIN_FILE), None)
    pictures = crops(VALIDATION_CROPS, 2)
    (mean_db, worst_db), (kept_mean_db, kept_worst_db) = (
        upscaler_psnr_db(upscaler, upscaler.in_fast_form(lambda _, made=made: made), 0.0, pictures)
        for made in (anew.convolutions, kept.convolutions)
    )
    assert is_near(mean_db, worst_db)
    assert mean_db > kept_mean_db - 1
    assert worst_db > kept_worst_db - 2


def test_8_bits_of_other_weights_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {key: value * 1.01 for key, value in load_file(BUILTIN_FILE).items()}
    with safe_open(BUILTIN_FILE, framework="pt") as file:
        save_file(other, tmp_path / BUILTIN_FILE.name, file.metadata())
    shutil.copytree(quantized_beside(BUILTIN_FILE).parent, tmp_path / "8bits")
    upscaler = load_upscaler(Installed(BUILTIN, tmp_path / BUILTIN_FILE.name), None)
    asked = []
    monkeypatch.setattr(
        "photoenhance_ui.networks.on_openvino.calibration.quantized",
        lambda *given: asked.append(given) or {},
    )
    calibrate_upscaler(upscaler, 0.5)
    assert len(asked) == 1
