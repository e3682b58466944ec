"""RestoreFormer's graph gives what gfpgan's network gives in torch for the same weights.

At full size with seeded random ones, on small faces: it takes any sides that 32 divides.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.errors import NetworkFailed, WeightsDamaged
from photoenhance_ui.networks.on_openvino.compiled_networks import CompiledRestorer
from photoenhance_ui.networks.on_openvino.layers import Weights
from photoenhance_ui.networks.on_openvino.loading import load_restorer
from photoenhance_ui.networks.on_openvino.restoreformer_graph import (
    CODE,
    CODES,
    restoreformer_graph,
)
from photoenhance_ui.photo import Pixels
from photoenhance_ui.weights.inventory import Installed
from testing.photos import skimage_photo
from tests.networks.reading import Read

RESTOREFORMER, GFPGAN = "RestoreFormer", "GFPGANv1.4"

pytestmark = pytest.mark.usefixtures("one_thread")


def face(height: int, width: int) -> Pixels:
    square = skimage_photo("astronaut")[20:148, 160:288]
    return np.asarray(cv2.resize(square, (width, height)), np.uint8)[None]


def centred(faces: Pixels) -> Any:
    import torch

    numbers = faces.astype(np.float32) / np.float32(np.iinfo(faces.dtype).max) * 2 - 1
    return torch.from_numpy(numbers).permute(0, 3, 1, 2)


def random_restoreformer() -> Any:
    """Seeded random weights, and a book of codes like those that a face has."""
    torch = pytest.importorskip("torch")
    from photoenhance_ui.networks.on_torch.basicsr_repair import repair

    repair()
    architecture = pytest.importorskip("gfpgan.archs.restoreformer_arch")
    from torch import nn

    torch.manual_seed(2)
    with contextlib.redirect_stdout(io.StringIO()):  # it tells of its size
        network = architecture.RestoreFormer().eval()
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.GroupNorm):
                norm.weight.uniform_(0.6, 1.4)
                norm.bias.normal_(0, 0.2)
        codes = network.quant_conv(network.encoder(centred(face(256, 256)))["out"])
        mean, deviation = codes.mean(dim=(0, 2, 3)), codes.std(dim=(0, 2, 3))
        network.quantize.embedding.weight.copy_(mean + deviation * torch.randn(CODES, CODE))
    return network


class Both:
    """The network in torch, its file, and the restorer that is made of it."""

    def __init__(self, folder: Path) -> None:
        torch = pytest.importorskip("torch")

        self.plain = random_restoreformer()
        state = self.plain.state_dict()
        self.weights: Weights = {name: value.numpy() for name, value in state.items()}
        known = by_name(RESTOREFORMER)
        self.installed = Installed(RESTOREFORMER, folder / known.file, known)
        torch.save({"params": self.plain.state_dict()}, self.installed.path)
        self.restorer = load_restorer(self.installed)

    def expected(self, faces: Pixels) -> NDArray[np.float32]:
        """Levels of 8 bits that torch gives, not rounded."""
        import torch

        with torch.inference_mode():
            restored = self.plain(centred(faces))[0]
        return ((restored.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    both = Both(tmp_path_factory.mktemp("restoreformer"))
    yield both
    both.installed.path.unlink()  # pytest keeps its folders for a while, and this is large


@pytest.mark.parametrize("size", [(128, 128), (128, 256)])
def test_the_restored_face_is_that_of_torch(both: Both, size: tuple[int, int]) -> None:
    restored, expected = both.restorer(face(*size)), both.expected(face(*size))
    assert (restored.shape, restored.dtype) == ((1, *size, 3), np.uint8)
    assert np.abs(restored - expected).max() < 0.51
    assert expected.std() > 10, "there is something to be alike in"


def test_levels_of_16_bits_stay_fine(both: Both) -> None:
    deep = both.restorer(face(128, 128).astype(np.uint16) * 257)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - both.expected(face(128, 128))).max() < 0.02


def test_faces_of_a_batch_do_not_see_each_other(both: Both) -> None:
    faces = np.concatenate([face(128, 128), face(128, 128)[:, ::-1]])
    together = both.restorer(faces).astype(int)
    for index in range(2):
        alone = both.restorer(faces[index][None])[0]
        assert np.abs(together[index] - alone).max() <= 1
    assert np.abs(together[0] - together[1]).max() > 20


def test_every_weight_is_read_that_torch_uses(both: Both) -> None:
    """The encoder looks at nothing but the face, so that nothing else is there to be normed."""
    weights = Read(both.weights)
    restoreformer_graph(weights, np.uint8)
    unread = set(both.weights) - weights.names
    assert unread == {
        name for name in both.weights if name.startswith("encoder.") and ".norm2." in name
        and ".attn" in name
    }  # fmt: skip


def test_weights_of_another_shape_are_refused(both: Both) -> None:
    name = "quantize.embedding.weight"
    changed = {**both.weights, name: both.weights[name][:-1]}
    with pytest.raises(ValueError, match=name):
        restoreformer_graph(changed, np.uint8)


def test_the_file_of_the_other_restorer_is_damaged(both: Both) -> None:
    wrong = Installed(GFPGAN, both.installed.path, by_name(GFPGAN))
    with pytest.raises(WeightsDamaged, match=wrong.path.name):
        load_restorer(wrong)


def test_values_that_are_no_numbers_are_no_face(both: Both) -> None:
    name = "decoder.conv_out.bias"
    weights = {**both.weights, name: both.weights[name] * np.float32(np.nan)}
    with pytest.raises(NetworkFailed, match="broken"):
        CompiledRestorer("broken", lambda: weights, restoreformer_graph)(face(128, 128))
