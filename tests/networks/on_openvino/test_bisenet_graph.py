"""BiSeNet's graph tells the pixels apart that facexlib's network tells apart in torch."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.on_openvino.bisenet_graph import bisenet_graph
from photoenhance_ui.networks.on_openvino.layers import Weights
from photoenhance_ui.networks.on_openvino.loading import load_parser
from photoenhance_ui.networks.parsing import BISENET, CLASSES
from photoenhance_ui.networks.state_dicts import floats_of
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import FACE_PX
from photoenhance_ui.weights.inventory import Installed
from testing.photos import skimage_photo
from tests.networks.reading import Read

NAME = "parsing_bisenet"
ONLY_FOR_TRAINING = ("conv_out16.", "conv_out32.")

pytestmark = pytest.mark.usefixtures("one_thread")


def face() -> Pixels:
    return skimage_photo("astronaut")[None]


def normalised(faces: Pixels) -> Any:
    import torch

    numbers = faces.astype(np.float32) / np.float32(np.iinfo(faces.dtype).max)
    like_imagenet = (numbers - np.float32(BISENET.means)) / np.float32(BISENET.deviations)
    return torch.from_numpy(like_imagenet).permute(0, 3, 1, 2)


def random_bisenet() -> Any:
    """Seeded random weights at full size; each class wins somewhere in the face."""
    bisenet = pytest.importorskip("facexlib.parsing.bisenet")
    import torch
    from torch import nn

    torch.manual_seed(2)
    network = bisenet.BiSeNet(num_class=CLASSES)
    features: list[torch.Tensor] = []
    inputs = normalised(np.concatenate([face(), face()[:, ::-1]]))
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = 1.0
                norm.weight.uniform_(0.6, 1.4)
                norm.bias.normal_(0, 0.3)
        network.train()(inputs)  # norms that keep the size of what runs through
        last = network.eval().conv_out.conv_out
        hook = last.register_forward_pre_hook(lambda _, given: features.append(given[0]))
        network(inputs[:1])
        hook.remove()
        # Without the part along the mean feature, each score is zero on average.
        mean = features[0].mean(dim=(0, 2, 3))
        direction = mean / mean.norm()
        weight = torch.randn(CLASSES, len(mean))
        last.weight.copy_((weight - torch.outer(weight @ direction, direction))[..., None, None])
    return network


class Both:
    """The network in torch, its file, and the parser that is made of it."""

    def __init__(self, folder: Path) -> None:
        torch = pytest.importorskip("torch")
        self.plain = random_bisenet()
        self.weights: Weights = floats_of(
            {name: value.numpy() for name, value in self.plain.state_dict().items()}
        )
        known = by_name(NAME)
        self.installed = Installed(NAME, folder / known.file, known)
        torch.save(self.plain.state_dict(), self.installed.path)
        self.parser = load_parser(self.installed)

    def expected(self, faces: Pixels) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """The mask by torch, and where its best class leads the second by more than rounding."""
        import torch

        with torch.inference_mode():
            scores = self.plain(normalised(faces))[0]
        best = scores.argmax(dim=1).numpy()
        assert len(np.unique(best)) > CLASSES // 2, "most classes are somewhere"
        first, second = scores.topk(2, dim=1).values.unbind(dim=1)
        sure = (first - second > 1e-4 * scores.abs().max()).numpy()
        assert sure.mean() > 0.99
        return np.where(np.isin(best, BISENET.face_classes), np.uint8(255), np.uint8(0)), sure


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(tmp_path_factory.mktemp("bisenet"))


def test_the_mask_is_that_of_torch(both: Both) -> None:
    expected, sure = both.expected(face())
    mask = both.parser(face())
    assert (mask.shape, mask.dtype) == ((1, FACE_PX, FACE_PX), np.uint8)
    assert np.array_equal(mask[sure], expected[sure])
    assert 0.02 < (expected == 255).mean() < 0.98, "both kinds of pixels are there"


def test_levels_of_16_bits_give_the_same_mask(both: Both) -> None:
    deep = both.parser(face().astype(np.uint16) * 257)
    assert (deep != both.parser(face())).mean() < 1e-4


def test_faces_of_a_batch_do_not_see_each_other(both: Both) -> None:
    faces = np.concatenate([face(), face()[:, ::-1]])
    alone = np.concatenate([both.parser(each[None]) for each in faces])
    assert (both.parser(faces) != alone).mean() < 1e-4


def test_a_smaller_look_gives_a_mask_of_pixels_twice_as_large(both: Both) -> None:
    half = both.parser.in_form(reduced=2, fast=False)(face())
    corners = half[:, ::2, ::2]
    assert np.array_equal(half, corners.repeat(2, axis=1).repeat(2, axis=2))
    small = np.asarray(cv2.resize(face()[0], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    expected, _ = both.expected(small[None])
    assert (corners != expected).mean() < 0.02  # levels are rounded there, and not here


def test_every_weight_is_read_but_those_of_heads_for_training(both: Both) -> None:
    weights = Read(both.weights)
    bisenet_graph(weights, np.uint8)
    unread = set(both.weights) - weights.names
    assert unread == {name for name in both.weights if name.startswith(ONLY_FOR_TRAINING)}


def test_weights_of_another_shape_are_refused(both: Both) -> None:
    name = "ffm.conv1.weight"
    changed = {**both.weights, name: both.weights[name][:-1]}
    with pytest.raises(ValueError, match=name):
        bisenet_graph(changed, np.uint8)


def test_the_file_of_the_other_parser_is_damaged(both: Both) -> None:
    wrong = Installed("parsing_parsenet", both.installed.path, by_name("parsing_parsenet"))
    with pytest.raises(WeightsDamaged, match=wrong.path.name):
        load_parser(wrong)
