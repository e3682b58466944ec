"""Ours beside GFPGANer + RealESRGANer: full-size networks, seeded random weights, real code."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
for package in ("basicsr", "realesrgan", "gfpgan"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} cannot be installed from Python 3.13 on", allow_module_level=True)

from benchmarks.parity import blend_border
from photoenhance_ui.images.difference import psnr_db
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Photo, Pixels
from photoenhance_ui.pipeline.contracts import FACE_PX, DetectedFace
from photoenhance_ui.pipeline.enhancer import Enhanced, blend
from photoenhance_ui.pipeline.faces import TEMPLATE, region_of, way_back
from photoenhance_ui.pipeline.plan import Choice, Plan, make_plan
from photoenhance_ui.request import RESAMPLE_ONLY, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import installed
from testing import reference, seeded_weights
from testing.driver import enhanced
from testing.photos import skimage_photo

MOST_LEVELS_OFF = 3
LEAST_PSNR_DB = 50.0
FILES = (
    seeded_weights.GFPGAN_FILE, seeded_weights.PARSENET_FILE, seeded_weights.X2PLUS_FILE,
    seeded_weights.GENERAL_FILE, seeded_weights.GENERAL_WDN_FILE,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    seeded_weights.write_random_weights(folder, FILES)
    return folder


@pytest.fixture(scope="module")
def networks(folder: Path) -> Iterator[Networks]:
    settings = Settings(
        device="cpu", offline=True, weights_dir=folder, trust_weights=True, precision="exact",
        cache_dir=folder / "cache",
    )  # fmt: skip
    yield Networks(installed(settings), settings)


def face_at(x: float, y: float, width: float, angle: float) -> DetectedFace:
    """A face whose aligned square lies at x, y, ``width`` wide, turned by ``angle`` degrees."""
    turned = cv2.getRotationMatrix2D((FACE_PX / 2, FACE_PX / 2), angle, width / FACE_PX)
    turned[:, 2] += np.array([x, y]) + width / 2 - FACE_PX / 2
    points = (np.c_[TEMPLATE, np.ones(5)] @ turned.T).astype(np.float32)
    # A detector's points are never exactly the template's.
    points += np.array([[0.4, -0.3], [0.1, 0.5], [-0.6, 0.2], [0.3, 0.3], [-0.2, -0.4]], np.float32)
    box = np.array([x, y, x + width, y + width], np.float32)
    return DetectedFace(box, points, 0.99)


ONE = (face_at(150, 20, 80, 8),)
TWO = (*ONE, face_at(-12, 90, 110, -20))  # the second one leaves the picture


def crop() -> Photo:
    pixels = np.ascontiguousarray(skimage_photo("astronaut")[0:192, 90:346])
    assert pixels.shape == (192, 256, 3)
    return Photo(pixels, "astronaut.png", "PNG")


@dataclass(frozen=True, eq=False)
class Pair:
    """One photo enhanced by the reference and by us."""

    theirs: Pixels
    plan: Plan
    result: Enhanced


@pytest.fixture(scope="module")
def both(folder: Path, networks: Networks) -> Callable[..., Pair]:
    """Enhance the crop both ways, with the same weights, tiles, faces and noise."""

    def enhance(
        faces: Sequence[DetectedFace], scale: float, file: str | None, denoise: float = 1.0
    ) -> Pair:
        photo = crop()
        upsampler = None if file is None else reference.background(folder, file, denoise)
        restorer = reference.gfpganer(folder, reference.InjectedFaces(faces), scale, upsampler)
        theirs, count = reference.reference_result(restorer, photo.pixels)
        assert count == len(faces)
        name = RESAMPLE_ONLY if file is None else Path(file).stem
        choice = Choice(name, "injected", "GFPGANv1.4", "parsing_parsenet")
        plan = make_plan(
            photo.size, Request(scale=scale, denoise=denoise), choice, networks.facts(),
            tile_px=reference.TILE_PX, overlap_px=reference.TILE_PAD_PX,
        )  # fmt: skip
        return Pair(theirs, plan, enhanced(photo, plan, networks, faces))

    return enhance


@pytest.fixture(scope="module")
def one_face(both: Callable[..., Pair]) -> Pair:
    return both(ONE, 2.0, seeded_weights.X2PLUS_FILE)


def expect_equal(pair: Pair) -> None:
    """At least 50 dB, and nothing off by more than 3 levels outside the blend border."""
    ours = blend(pair.result, 1.0).pixels
    assert ours.shape == pair.theirs.shape
    assert ours.std() > 20, "random weights left no picture to compare"
    apart = np.abs(ours.astype(int) - pair.theirs).max(axis=2)
    assert psnr_db(ours, pair.theirs) >= LEAST_PSNR_DB
    assert apart[~blend_border(pair.result)].max() <= MOST_LEVELS_OFF
    for face in pair.result.faces:
        region = region_of(way_back(face.matrix, pair.plan.scale), pair.plan.output)
        assert region is not None
        pasted = ours[region.slices].astype(int) - pair.result.background[region.slices]
        assert np.abs(pasted).max() > 20, "the face left no trace, so nothing was compared"


def test_one_face_on_a_background_network(one_face: Pair) -> None:
    expect_equal(one_face)
    inside = one_face.result.faces[0].mask
    assert inside is not None
    assert (inside > 0.999).mean() > 0.1, "no part of the face is fully pasted"


def test_two_faces_without_a_background_network(both: Callable[..., Pair]) -> None:
    expect_equal(both(TWO, 4.0, None))


@pytest.mark.parametrize("denoise", [1.0, 0.3])
def test_the_general_network_with_its_denoise_blend(
    both: Callable[..., Pair], denoise: float
) -> None:
    expect_equal(both((), 2.0, seeded_weights.GENERAL_FILE, denoise))


def test_strength_blends_between_the_background_and_the_face(one_face: Pair) -> None:
    result = one_face.result
    assert np.array_equal(blend(result, 0.0).pixels, result.background)
    half, full = (blend(result, strength).pixels.astype(int) for strength in (0.5, 1.0))
    middle = (full + result.background.astype(int)) / 2
    assert np.abs(half - middle).max() <= 1
