"""Restorers: the plain network's face, the same each time, alone or in a batch.

GFPGAN and RestoreFormer at full size with seeded random weights, in the official files' form.
A face takes seconds, so each test looks at several things.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from numpy.typing import NDArray
from torch import Tensor, nn

from photoenhance_ui.catalogue import Architecture, by_name
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.on_torch.architectures import RESTORERS, module_of
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.restorers import load_restorer
from photoenhance_ui.networks.on_torch.upscalers import load_upscaler
from photoenhance_ui.photo import Pixels, white_of
from photoenhance_ui.pipeline.contracts import FACE_PX, FaceRestorer
from photoenhance_ui.weights.inventory import Installed
from testing import seeded_weights
from testing.photos import skimage_photo

CPU = Placement(torch.device("cpu"))
GFPGAN, RESTOREFORMER = "GFPGANv1.4", "RestoreFormer"


pytestmark = pytest.mark.usefixtures("one_thread")


def official(path: Path) -> Installed:
    return Installed(path.stem, path, by_name(path.stem))


def face(top: int, left: int, side_px: int = FACE_PX) -> Pixels:
    """A square of a portrait, enlarged to an aligned face's size."""
    square = skimage_photo("astronaut")[top : top + 128, left : left + 128]
    return np.asarray(cv2.resize(square, (side_px, side_px)), np.uint8)


def numbers_of(network: nn.Module, picture: Pixels) -> NDArray[np.float32]:
    """What GFPGANer makes of one face, in levels of its depth, not rounded."""
    white = white_of(picture)
    numbers = torch.from_numpy(picture.astype(np.float32) / white).permute(2, 0, 1)[None]
    with torch.inference_mode():
        output: Tensor = network(
            (numbers - 0.5) / 0.5, return_rgb=False, randomize_noise=False
        )[0]  # fmt: skip
    levels = (output[0].clamp(-1, 1) + 1) / 2 * white
    return levels.permute(1, 2, 0).numpy()


def restored(restorer: FaceRestorer, *faces: Pixels) -> Pixels:
    return restorer(np.stack(faces))


def apart(first: Any, second: Any) -> float:
    return float(np.abs(np.asarray(first, np.float64) - np.asarray(second, np.float64)).max())


@pytest.fixture(scope="module")
def gfpgan(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, FaceRestorer]:
    """A plain network and ours from its file."""
    torch.manual_seed(1)
    state = dict(seeded_weights.gfpgan_state())
    for name, weight in state.items():
        # Untrained, the decoder's noise has no strength, and chance would leave no trace.
        if name.startswith("stylegan_decoder.style_conv") and name.endswith("weight"):
            state[name] = weight + 0.3 if weight.numel() == 1 else weight
    path = tmp_path_factory.mktemp("gfpgan") / f"{GFPGAN}.pth"
    torch.save({"params_ema": state}, path)
    ours = load_restorer(official(path), CPU)
    path.unlink()  # pytest keeps its folders for a while, and this is large
    arrays = {name: value.numpy() for name, value in state.items()}
    return module_of(RESTORERS[Architecture.GFPGAN_CLEAN], arrays, path).eval(), ours


def test_gfpgan_gives_the_plain_networks_face_each_time_alone_or_in_a_batch(
    gfpgan: tuple[nn.Module, FaceRestorer],
) -> None:
    plain, ours = gfpgan
    first, second = face(20, 160), face(60, 60)
    alone = restored(ours, first)
    both = restored(ours, first, second)
    assert ours.name == GFPGAN
    assert (both.dtype, both.shape) == (np.uint8, (2, FACE_PX, FACE_PX, 3))
    assert apart(both[0], alone[0]) <= 1, "the same face gave another result"
    assert apart(both[1], numbers_of(plain, second)) <= 1
    assert both[1].std() > 20, "random weights left no picture to compare"
    assert apart(both[0], both[1]) > 20, "the two faces are so alike that nothing was compared"


@pytest.fixture(scope="module")
def restoreformer_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    torch.manual_seed(2)
    state = dict(seeded_weights.restoreformer_state())
    path = tmp_path_factory.mktemp("restoreformer") / f"{RESTOREFORMER}.pth"
    torch.save({"params": state}, path)
    arrays = {name: value.numpy() for name, value in state.items()}
    yield module_of(RESTORERS[Architecture.RESTOREFORMER], arrays, path).eval(), path
    path.unlink()


def test_restoreformer_gives_what_its_architecture_gives(
    restoreformer_file: tuple[Any, Path],
) -> None:
    plain, path = restoreformer_file
    ours = load_restorer(official(path), CPU)
    assert ours.name == RESTOREFORMER
    small = face(20, 160, side_px=96)  # it takes any multiple of 32, and less time for less
    for picture in (small, small.astype(np.uint16) * 257):
        (result,) = restored(ours, picture)
        assert (result.dtype, result.shape) == (picture.dtype, picture.shape)
        one_level = white_of(picture) / 255
        assert apart(result, numbers_of(plain, picture)) <= one_level
        assert result.std() > 5 * one_level, "random weights left no picture to compare"


def test_a_face_restorer_under_a_name_of_ones_own_is_no_upscaler(
    restoreformer_file: tuple[Any, Path],
) -> None:
    with pytest.raises(WeightsDamaged, match="holds no upscaler"):
        load_upscaler(Installed("mine", restoreformer_file[1]), None, CPU)


def test_the_file_of_another_restorer_is_damaged(
    restoreformer_file: tuple[Any, Path], tmp_path: Path
) -> None:
    path = tmp_path / f"{GFPGAN}.pth"
    path.symlink_to(restoreformer_file[1])
    with pytest.raises(WeightsDamaged, match=path.name):
        load_restorer(official(path), CPU)


def test_a_cut_file_is_damaged(restoreformer_file: tuple[Any, Path], tmp_path: Path) -> None:
    path = tmp_path / f"{RESTOREFORMER}.pth"
    with restoreformer_file[1].open("rb") as whole:
        path.write_bytes(whole.read(1_000_000))
    with pytest.raises(WeightsDamaged, match=path.name):
        load_restorer(official(path), CPU)
