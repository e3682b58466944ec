"""Parsers: the classes that GFPGAN pastes, from the scores that facexlib's networks give.

ParseNet and BiSeNet at full size with random weights; only their last layer is set so that every
class is the best one somewhere. They are convolutions, so small squares are as good as faces.
"""

import ast
import inspect
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facexlib.parsing.bisenet import BiSeNet
from facexlib.parsing.parsenet import ParseNet
from facexlib.utils.face_restoration_helper import FaceRestoreHelper
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.transforms.functional import normalize

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.on_torch.parsers import load_parser
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.parsing import CLASSES
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import FaceParser
from photoenhance_ui.weights.inventory import Installed
from testing.photos import skimage_photo

CPU = Placement(torch.device("cpu"))
SIDE_PX = 64

# CelebAMask-HQ's parts in the order of each network: ParseNet's as facexlib's restoration code
# reads it, BiSeNet's as its authors number them (zllrunning/face-parsing.PyTorch).
PARSENET_PARTS = (
    "background", "skin", "nose", "glasses", "left eye", "right eye", "left brow", "right brow",
    "left ear", "right ear", "mouth", "upper lip", "lower lip", "hair", "hat", "ear ring",
    "necklace", "neck", "cloth",
)  # fmt: skip
BISENET_PARTS = (
    "background", "skin", "left brow", "right brow", "left eye", "right eye", "glasses",
    "left ear", "right ear", "ear ring", "nose", "mouth", "upper lip", "lower lip", "neck",
    "necklace", "cloth", "hair", "hat",
)  # fmt: skip


def pasted_by_the_reference() -> NDArray[np.uint8]:
    """(19,) 255 or 0 per class of ParseNet, read from the code of the installed facexlib."""
    code = inspect.getsource(FaceRestoreHelper.paste_faces_to_input_image)
    for node in ast.walk(ast.parse(textwrap.dedent(code))):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MASK_COLORMAP":
            return np.array(ast.literal_eval(node.value), np.uint8)
    raise AssertionError("facexlib holds its choice of classes somewhere else")


def balance(network: nn.Module, last: nn.Conv2d, inputs: Tensor) -> None:
    """Set the last layer so that each of its channels wins somewhere."""
    features: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _layer, given: features.append(given[0]))
    network(inputs)
    hook.remove()
    mean = features[0].mean(dim=(0, 2, 3))
    direction = mean / mean.norm()
    weight = torch.randn_like(last.weight)
    # Without the part along the mean feature, each score is zero on average.
    along = torch.einsum("oikl,i->okl", weight, direction)
    weight -= torch.einsum("okl,i->oikl", along, direction)
    last.weight.copy_(weight)
    if last.bias is not None:
        last.bias.zero_()
    scores = last(features[0])
    last.weight.div_(scores.std(dim=(0, 2, 3)).view(-1, 1, 1, 1))


class Both:
    """A plain network of facexlib and our parser from its file."""

    def __init__(
        self, name: str, network: nn.Module, last: nn.Conv2d, inputs: Tensor, folder: Path
    ) -> None:
        with torch.inference_mode():
            balance(network.eval(), last, inputs)
        path = folder / by_name(name).file
        torch.save(network.state_dict(), path)
        self.plain = network
        self.ours = load_parser(Installed(name, path, by_name(name)), CPU)
        path.unlink()  # pytest keeps its folders for a while, and these are large


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def faces() -> Pixels:
    """(3, side, side, 3): three squares of one portrait, of which one is upside down."""
    photo = skimage_photo("astronaut")
    squares = [photo[60 : 60 + SIDE_PX, 180 : 180 + SIDE_PX], photo[20 : 20 + SIDE_PX, :SIDE_PX]]
    return np.ascontiguousarray(np.stack([*squares, squares[0][::-1]]))


def as_facexlib(faces: Pixels, means: tuple[float, ...], deviations: tuple[float, ...]) -> Tensor:
    """What facexlib's code gives the network: 0..1, normalized by torchvision."""
    white = np.iinfo(faces.dtype).max
    numbers = torch.from_numpy(faces.astype(np.float32) / white).permute(0, 3, 1, 2)
    return torch.stack([normalize(each, means, deviations) for each in numbers])


def as_parsenet(faces: Pixels) -> Tensor:
    return as_facexlib(faces, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def as_bisenet(faces: Pixels) -> Tensor:
    return as_facexlib(faces, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def parsenet(tmp_path_factory: pytest.TempPathFactory, faces: Pixels) -> Both:
    torch.manual_seed(1)
    network = ParseNet(in_size=512, out_size=512, parsing_ch=CLASSES)
    last, folder = network.out_mask_conv.conv2d, tmp_path_factory.mktemp("parsenet")
    return Both("parsing_parsenet", network, last, as_parsenet(faces), folder)


@pytest.fixture(scope="module")
def bisenet(tmp_path_factory: pytest.TempPathFactory, faces: Pixels) -> Both:
    torch.manual_seed(2)
    network = BiSeNet(num_class=CLASSES)
    last, folder = network.conv_out.conv_out, tmp_path_factory.mktemp("bisenet")
    return Both("parsing_bisenet", network, last, as_bisenet(faces), folder)


def mask_of(parser: FaceParser, faces: Pixels) -> NDArray[np.uint8]:
    with torch.inference_mode():
        return parser(faces)


def expect_equal(both: Both, faces: Pixels, inputs: Tensor, pasted: NDArray[np.uint8]) -> None:
    """The mask is the plain network's best class, looked up among those that are pasted."""
    with torch.inference_mode():
        scores: Any = both.plain(inputs)[0]
    best = scores.argmax(dim=1).numpy()
    assert set(np.unique(best)) == set(range(CLASSES)), "some class was nowhere to compare"
    ours = mask_of(both.ours, faces)
    assert (ours.dtype, ours.shape) == (np.uint8, faces.shape[:3])
    assert set(np.unique(ours)) == {0, 255}
    # Where the two best scores are one and the same but for rounding, either may win.
    first, second = scores.topk(2, dim=1).values.unbind(dim=1)
    sure = (first - second > 1e-3).numpy()
    assert sure.mean() > 0.99
    assert np.array_equal(ours[sure], pasted[best][sure])


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_parsenet_pastes_what_gfpgan_pastes(parsenet: Both, faces: Pixels, depth: type) -> None:
    levels = faces if depth == np.uint8 else faces.astype(np.uint16) * 257
    expect_equal(parsenet, levels, as_parsenet(levels), pasted_by_the_reference())


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_bisenet_pastes_the_same_parts_under_its_own_numbers(
    bisenet: Both, faces: Pixels, depth: type
) -> None:
    parts = {
        part for part, value in zip(PARSENET_PARTS, pasted_by_the_reference(), strict=True) if value
    }
    pasted = np.array([255 if part in parts else 0 for part in BISENET_PARTS], np.uint8)
    levels = faces if depth == np.uint8 else faces.astype(np.uint16) * 257
    expect_equal(bisenet, levels, as_bisenet(levels), pasted)


def test_hair_and_ear_rings_are_pasted_but_neither_hats_nor_necks() -> None:
    pasted = {
        part for part, value in zip(PARSENET_PARTS, pasted_by_the_reference(), strict=True) if value
    }
    assert sorted(PARSENET_PARTS) == sorted(BISENET_PARTS)
    assert {"skin", "glasses", "hair", "ear ring"} <= pasted
    assert not pasted & {"background", "hat", "necklace", "neck", "cloth"}


@pytest.mark.parametrize("which", ["parsenet", "bisenet"])
def test_faces_of_a_batch_do_not_see_each_other(
    which: str, faces: Pixels, request: pytest.FixtureRequest
) -> None:
    parser = request.getfixturevalue(which).ours
    alone = np.concatenate([mask_of(parser, faces[i : i + 1]) for i in range(len(faces))])
    assert (mask_of(parser, faces) == alone).mean() > 0.999


@pytest.mark.parametrize(
    ("which", "left_out"),
    [("parsing_parsenet", 0), ("parsing_bisenet", 1)],
    ids=["the other parser", "one layer missing"],
)
def test_a_file_of_something_else_is_damaged(tmp_path: Path, which: str, left_out: int) -> None:
    path = tmp_path / by_name(which).file
    layers = list(BiSeNet(num_class=CLASSES).state_dict().items())
    torch.save(dict(layers[left_out:]), path)
    with pytest.raises(WeightsDamaged, match=path.name):
        load_parser(Installed(which, path, by_name(which)), CPU)
    path.unlink()
