"""RetinaFace's graph answers what facexlib's network answers in torch, at any size."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from photoenhance_ui.networks.on_openvino.compilation import compile_graph
from photoenhance_ui.networks.on_openvino.layers import Weights
from photoenhance_ui.networks.on_openvino.retinaface_graph import (
    MOBILENET,
    RESNET50,
    Backbone,
    retinaface_graph,
)
from photoenhance_ui.networks.state_dicts import floats_of
from testing.photos import skimage_photo
from tests.networks.detection import BACKBONES, of_size, random_detector, raw_answers
from tests.networks.reading import Read

SHAPES = [
    (1, 1), (2, 3), (1, 40), (33, 1), (7, 9), (16, 16), (17, 40), (35, 67), (65, 63), (101, 253),
    (333, 411),
]  # fmt: skip
GRAPHS = {"mobile0.25": MOBILENET, "resnet50": RESNET50}
ROUNDING = {"mobile0.25": 1e-4, "resnet50": 5e-4}
"""Of answers up to 5: torch's differ as much from what it answers in 64 bits."""

pytestmark = pytest.mark.usefixtures("one_thread")


class Both:
    """A detector in torch, and its graph."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.plain = random_detector(kind, skimage_photo("astronaut")[40:243, 150:375])
        self.weights: Weights = floats_of(
            {name: value.numpy() for name, value in self.plain.state_dict().items()}
        )
        self._request = compile_graph(retinaface_graph(self.weights, GRAPHS[kind]))

    def answers(self, pictures: NDArray[np.uint8]) -> list[NDArray[Any]]:
        outputs = self._request.infer(pictures)
        return [outputs[index] for index in range(len(outputs))]


@pytest.fixture(scope="module", params=BACKBONES)
def both(request: pytest.FixtureRequest) -> Both:
    return Both(request.param)


@pytest.mark.parametrize("shape", SHAPES)
def test_raw_answers_are_those_of_torch(both: Both, shape: tuple[int, int]) -> None:
    picture = of_size(skimage_photo("astronaut"), *shape)
    for ours, theirs in zip(
        both.answers(picture[None]), raw_answers(both.plain, picture), strict=True
    ):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < ROUNDING[both.kind]


def test_several_pictures_do_not_see_each_other(both: Both) -> None:
    photo = skimage_photo("astronaut")
    pictures = np.stack([photo[:83, :77], photo[100:183, 200:277]])
    alone = [both.answers(picture[None]) for picture in pictures]
    for index, together in enumerate(both.answers(pictures)):
        assert np.abs(together[0] - together[1]).max() > 0.05
        for picture in range(2):
            assert np.abs(together[picture] - alone[picture][index][0]).max() < 1e-4


def test_every_weight_is_read(both: Both) -> None:
    weights = Read(both.weights)
    retinaface_graph(weights, GRAPHS[both.kind])
    assert weights.names == set(both.weights)


def some_names(weights: Weights) -> list[str]:
    return sorted(weights)[:: len(weights) // 8]


def test_a_file_that_lacks_a_layer_is_refused(both: Both) -> None:
    for name in some_names(both.weights):
        others = {key: value for key, value in both.weights.items() if key != name}
        with pytest.raises(KeyError, match=name):
            retinaface_graph(others, GRAPHS[both.kind])


def test_weights_of_another_shape_are_refused(both: Both) -> None:
    for name in some_names(both.weights):
        values = both.weights[name]
        changed = {**both.weights, name: np.concatenate([values, values[:1]])}
        with pytest.raises(ValueError, match=name):
            retinaface_graph(changed, GRAPHS[both.kind])


def test_the_other_backbone_is_refused(both: Both) -> None:
    (other,) = (graph for kind, graph in GRAPHS.items() if kind != both.kind)
    assert isinstance(other, Backbone)
    with pytest.raises((KeyError, ValueError)):
        retinaface_graph(both.weights, other)
