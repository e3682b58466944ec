"""The face networks' graphs give what torch gives for the same full-size weights.

The weights are made in torch, too; what only the graphs of other files need runs without it.
"""

import dataclasses
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset13 as op

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.errors import NetworkFailed, WeightsDamaged
from photoenhance_ui.networks.on_openvino.calibration import calibrate_parser, parser_forms
from photoenhance_ui.networks.on_openvino.compilation import has_bfloat16
from photoenhance_ui.networks.on_openvino.compiled_networks import CompiledParser, CompiledRestorer
from photoenhance_ui.networks.on_openvino.face_graphs import restorer_graph
from photoenhance_ui.networks.on_openvino.layers import Depth, Weights
from photoenhance_ui.networks.on_openvino.loading import load_parser, load_restorer
from photoenhance_ui.networks.on_openvino.parsenet_graph import parsenet_graph
from photoenhance_ui.networks.similarity import MIN_BLENDED_DB
from photoenhance_ui.networks.state_dicts import floats_of, load_arrays
from photoenhance_ui.weights.inventory import Installed
from testing.photos import skimage_photo

GFPGAN_FILE, PARSENET_FILE = "GFPGANv1.4.pth", "parsing_parsenet.pth"


def face(depth: Any = np.uint8) -> NDArray[Any]:
    photo = skimage_photo("astronaut")[None].astype(depth)
    return photo if depth is np.uint8 else photo * 257


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Seeded random weights in the official form; noise and norms that leave a trace."""
    torch = pytest.importorskip("torch")
    from facexlib.parsing.parsenet import ParseNet

    from testing.seeded_weights import gfpgan_state

    folder = tmp_path_factory.mktemp("faces")
    torch.manual_seed(3)
    gfpgan = gfpgan_state()
    parsenet = ParseNet(in_size=512, out_size=512, parsing_ch=19)
    with torch.no_grad():
        for name, value in gfpgan.items():
            if name.endswith(".weight") and value.numel() == 1:
                value.fill_(0.3)
        for module in parsenet.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.3, 2)
                module.bias.normal_(0, 0.3)
        scores = parsenet.eval()(torch.from_numpy(face() / np.float32(255)).permute(0, 3, 1, 2))[0]
        parsenet.out_mask_conv.conv2d.bias.sub_(scores.mean(dim=(0, 2, 3)))  # no class always wins
    torch.save({"params_ema": gfpgan}, folder / GFPGAN_FILE)
    torch.save(parsenet.state_dict(), folder / PARSENET_FILE)
    yield folder
    (folder / GFPGAN_FILE).unlink()


def in_torch(found: Installed) -> Any:
    """The same file's network, computed by torch."""
    from photoenhance_ui.networks.on_torch.backend import TorchBackend

    return TorchBackend("cpu", fuse=False).load(found, None).exact


def installed(folder: Path, file: str) -> Installed:
    return Installed(Path(file).stem, folder / file, by_name(Path(file).stem))


def test_gfpgan_restores_as_in_torch(folder: Path) -> None:
    found = installed(folder, GFPGAN_FILE)
    compiled, plain = load_restorer(found), in_torch(found)
    restored = compiled(face())
    expected = plain(face())
    assert restored.shape == expected.shape == (1, 512, 512, 3)
    assert np.abs(restored.astype(int) - expected).max() <= 1
    assert expected.std() > 10, "there is something to be alike in"
    deep = compiled(face(np.uint16))
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - restored).max() <= 0.51


def test_parsenet_tells_the_same_pixels(folder: Path) -> None:
    found = installed(folder, PARSENET_FILE)
    compiled, plain = load_parser(found), in_torch(found)
    mask = compiled(face())
    expected = plain(face())
    assert (mask.shape, mask.dtype) == ((1, 512, 512), np.uint8)
    assert 0.02 < (expected == 255).mean() < 0.98, "both kinds of pixels are there"
    assert (mask != expected).mean() < 1e-4  # where two classes tie
    assert np.isin(mask, [0, 255]).all()


def test_the_wrong_file_is_refused(folder: Path) -> None:
    for file, other, load in (
        (GFPGAN_FILE, PARSENET_FILE, load_restorer),
        (PARSENET_FILE, GFPGAN_FILE, load_parser),
    ):
        wrong = dataclasses.replace(installed(folder, file), path=folder / other)
        with pytest.raises(WeightsDamaged):
            load(wrong)


def test_values_that_are_no_numbers_are_no_face() -> None:
    def broken(_: Weights, depth: Depth) -> ov.Model:
        return restorer_graph(lambda x: op.multiply(x, np.float32(np.nan)).output(0), depth)

    with pytest.raises(NetworkFailed, match="broken"):
        CompiledRestorer("broken", dict, broken)(face())


def test_a_file_that_is_gone_when_a_graph_is_made_is_told(tmp_path: Path, folder: Path) -> None:
    path = Path(shutil.copy(folder / PARSENET_FILE, tmp_path))
    parser = load_parser(dataclasses.replace(installed(folder, PARSENET_FILE), path=path))
    path.unlink()
    with pytest.raises(WeightsDamaged, match=PARSENET_FILE):
        parser(face())


def test_a_smaller_look_gives_a_mask_of_pixels_twice_as_large(folder: Path) -> None:
    parser = load_parser(installed(folder, PARSENET_FILE))
    assert isinstance(parser, CompiledParser)
    whole, half = parser(face()), parser.in_form(reduced=2, fast=False)(face())
    assert half.shape == whole.shape
    corners = half[:, ::2, ::2]
    assert np.array_equal(half, corners.repeat(2, axis=1).repeat(2, axis=2))
    small = np.rint(face().reshape(1, 256, 2, 256, 2, 3).mean(axis=(2, 4))).astype(np.uint8)
    plain = in_torch(installed(folder, PARSENET_FILE))(small)
    assert (corners != plain).mean() < 0.02  # levels are rounded there, and not here


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_faces_in_bfloat16_are_near_and_not_the_same(folder: Path) -> None:
    exact = load_restorer(installed(folder, GFPGAN_FILE))
    assert isinstance(exact, CompiledRestorer)
    one, other = exact(face()), exact.in_form(fast=True)(face())
    assert not np.array_equal(one, other)
    assert np.sqrt(np.mean((one.astype(float) - other) ** 2)) < 4
    deep = exact.in_form(fast=True)(face(np.uint16))
    assert len(np.unique(deep)) > 4 * 256, "what comes after the last convolution is exact"


@pytest.fixture
def measured_on_one_face(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photoenhance_ui.networks.similarity.faces", lambda: [face()[0]])


@pytest.mark.usefixtures("measured_on_one_face")
def test_a_parser_whose_looks_differ_stays_as_it_is(folder: Path) -> None:
    """Random weights tell pixels apart at random: no faster form is near."""
    parser = load_parser(installed(folder, PARSENET_FILE))
    assert isinstance(parser, CompiledParser)
    calibration = calibrate_parser(parser)
    assert not calibration.passed
    assert calibration.worst_db < MIN_BLENDED_DB


@pytest.mark.usefixtures("measured_on_one_face")
def test_a_parser_whose_looks_agree_takes_the_fastest(folder: Path) -> None:
    weights = dict(floats_of(load_arrays(folder / PARSENET_FILE)))
    weights["out_mask_conv.conv2d.bias"] = np.eye(19, dtype=np.float32)[1] * 1e4  # skin everywhere
    skin_only = partial(parsenet_graph, face_classes=(1,))
    calibration = calibrate_parser(CompiledParser("skin", lambda: weights, skin_only))
    assert calibration.form == parser_forms()[0].name
    assert calibration.worst_db == 99.0
