"""Ours beside GFPGANer + RealESRGANer: full-size networks, seeded random weights, real code."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import reference
from photoenhance_ui.enhancer import blend
from photoenhance_ui.faces import TEMPLATE, region_of, way_back
from photoenhance_ui.networks.interfaces import FACE_PX, FoundFace
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Photo
from photoenhance_ui.plan import Choice, make_plan
from photoenhance_ui.request import RESAMPLE_ONLY, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights import installed
from tests.conftest import skimage_photo
from tests.driver import enhanced

MOST_LEVELS_OFF = 3
LEAST_PSNR_DB = 50.0
FILES = (
    reference.GFPGAN_FILE, reference.PARSENET_FILE, reference.X2PLUS_FILE, reference.GENERAL_FILE,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    reference.write_random_weights(folder, FILES)
    return folder


@pytest.fixture(scope="module")
def networks(folder: Path) -> Iterator[Networks]:
    settings = Settings(device="cpu", offline=True, weights_dir=folder, trust_weights=True)
    yield Networks(installed(settings), settings)


def face_at(x: float, y: float, width: float, angle: float) -> FoundFace:
    """A face whose aligned square lies at x, y, ``width`` wide, turned by ``angle`` degrees."""
    turned = cv2.getRotationMatrix2D((FACE_PX / 2, FACE_PX / 2), angle, width / FACE_PX)
    turned[:, 2] += np.array([x, y]) + width / 2 - FACE_PX / 2
    points = (np.c_[TEMPLATE, np.ones(5)] @ turned.T).astype(np.float32)
    # A detector's points are never exactly the template's.
    points += np.array([[0.4, -0.3], [0.1, 0.5], [-0.6, 0.2], [0.3, 0.3], [-0.2, -0.4]], np.float32)
    box = np.array([x, y, x + width, y + width], np.float32)
    return FoundFace(box, points, 0.99)


ONE = (face_at(150, 20, 80, 8),)
TWO = (*ONE, face_at(-12, 90, 110, -20))  # the second one leaves the picture


def crop() -> Photo:
    pixels = np.ascontiguousarray(skimage_photo("astronaut")[0:192, 90:346])
    assert pixels.shape == (192, 256, 3)
    return Photo(pixels, "astronaut.png", "PNG")


@pytest.mark.parametrize(
    ("faces", "upscaler", "file", "scale"),
    [
        (ONE, "RealESRGAN_x2plus", reference.X2PLUS_FILE, 2.0),
        (TWO, RESAMPLE_ONLY, None, 4.0),
        (ONE, "realesr-general-x4v3", reference.GENERAL_FILE, 2.0),
    ],
    ids=["one face, x2plus", "two faces, no background network", "one face, general at 2"],
)
def test_the_exact_path_equals_the_reference(
    folder: Path,
    networks: Networks,
    faces: tuple[FoundFace, ...],
    upscaler: str,
    file: str | None,
    scale: float,
) -> None:
    photo = crop()
    upsampler = None if file is None else reference.background(folder, file)
    restorer = reference.gfpganer(folder, reference.InjectedFaces(faces), scale, upsampler)
    theirs, count = reference.reference_result(restorer, photo.pixels)
    assert count == len(faces)

    request = Request(scale=scale, face_strength=1.0)
    choice = Choice(upscaler, "injected", "GFPGANv1.4", "parsing_parsenet")
    plan = make_plan(
        photo.size, request, choice, networks.facts(),
        tile_px=reference.TILE_PX, overlap_px=reference.TILE_PAD_PX,
    )  # fmt: skip
    result = enhanced(photo, plan, networks, faces)
    ours = blend(result, 1.0).pixels

    assert ours.shape == theirs.shape
    assert ours.std() > 20, "random weights left no picture to compare"
    apart = np.abs(ours.astype(int) - theirs)
    psnr = 20 * np.log10(255 / np.sqrt(np.mean(apart.astype(float) ** 2)))
    assert psnr >= LEAST_PSNR_DB, f"{psnr:.1f} dB"
    assert apart.max() <= MOST_LEVELS_OFF, f"{apart.max()} levels"
    for face in result.faces:
        region = region_of(way_back(face.matrix, plan.scale), plan.output)
        assert region is not None
        pasted = ours[region.slices].astype(int) - result.background[region.slices]
        assert np.abs(pasted).max() > 20, "the face left no trace, so nothing was compared"


def test_strength_0_is_the_photo_without_faces_bit_for_bit(networks: Networks) -> None:
    photo = crop()
    choice = Choice(RESAMPLE_ONLY, "injected", "GFPGANv1.4", "parsing_parsenet")
    plan = make_plan(photo.size, Request(), choice, networks.facts())
    result = enhanced(photo, plan, networks, ONE)
    assert np.array_equal(blend(result, 0.0).pixels, result.background)
    half, full = (blend(result, strength).pixels.astype(int) for strength in (0.5, 1.0))
    middle = (full + result.background.astype(int)) / 2
    assert np.abs(half - middle).max() <= 1
