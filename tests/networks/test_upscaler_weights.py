"""Upscalers' files: known ones hold what their name says, people's own are told by their shapes."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from photoenhance_ui.catalogue import Architecture, by_name
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.shapes import Shapes, rrdb_shapes, srvgg_shapes
from photoenhance_ui.networks.upscaler_weights import (
    MAX_OWN_FEATURES,
    UpscalerWeights,
    read_upscaler,
)
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed

GENERAL, GENERAL_WDN = "realesr-general-x4v3", "realesr-general-wdn-x4v3"
Weights = dict[str, NDArray[np.float32]]


def weights_of(shapes: Shapes, value: float = 0.0) -> Weights:
    return {name: np.full(shape, value, np.float32) for name, shape in shapes.items()}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Shapes], Installed]:
    """Writes a file of weights of these shapes: a known one where its name is."""

    def save(name: str, shapes: Shapes, value: float = 0.0) -> Installed:
        path = tmp_path / f"{name}.safetensors"
        save_file(weights_of(shapes, value), path)
        known = by_name(name) if name != "mine" else None
        return Installed(name, path, known)

    return save


def read_own(folder: Path, shapes: Shapes) -> UpscalerWeights | None:
    save_file(weights_of(shapes), folder / "mine.safetensors")
    return read_upscaler(Installed("mine", folder / "mine.safetensors"), None)


def test_the_builtin_network_is_recognized() -> None:
    read = read_upscaler(Installed(BUILTIN, BUILTIN_FILE), None)
    assert read is not None
    assert (read.architecture, read.multiple, len(read.ends)) == (Architecture.SRVGG, 1, 1)


# Known files


@pytest.mark.parametrize(
    ("name", "shapes", "architecture", "scale", "multiple"),
    [
        (GENERAL, srvgg_shapes(64, 32, 4), Architecture.SRVGG, 4, 1),
        ("RealESRGAN_x4plus_anime_6B", rrdb_shapes(6, 4), Architecture.RRDB, 4, 1),
        ("RealESRGAN_x2plus", rrdb_shapes(23, 2), Architecture.RRDB, 2, 2),
    ],
)
def test_a_known_file_is_what_the_catalogue_says(
    write: Callable[..., Installed], name: str, shapes: Shapes, architecture: Architecture,
    scale: int, multiple: int,
) -> None:  # fmt: skip
    read = read_upscaler(write(name, shapes), None)
    assert read is not None
    assert (read.architecture, read.scale, read.multiple) == (architecture, scale, multiple)
    assert {name: value.shape for name, value in read.ends[0].items()} == shapes


@pytest.mark.parametrize(
    "shapes",
    [srvgg_shapes(64, 31, 4), srvgg_shapes(64, 32, 2), rrdb_shapes(1, 4), {}],
    ids=["a layer less", "another scale", "another architecture", "nothing"],
)
def test_another_network_under_a_known_name_is_damaged(
    write: Callable[..., Installed], shapes: Shapes
) -> None:
    with pytest.raises(WeightsDamaged, match=GENERAL):
        read_upscaler(write(GENERAL, shapes), None)


def test_a_companion_is_the_other_end(write: Callable[..., Installed]) -> None:
    shapes = srvgg_shapes(64, 32, 4)
    read = read_upscaler(write(GENERAL, shapes, 1.0), write(GENERAL_WDN, shapes, 2.0))
    assert read is not None
    assert [float(end["body.0.bias"][0]) for end in read.ends] == [1.0, 2.0]


def test_a_companion_that_is_another_network_is_damaged(write: Callable[..., Installed]) -> None:
    good, wrong = write(GENERAL, srvgg_shapes(64, 32, 4)), write(GENERAL_WDN, rrdb_shapes(1, 4))
    with pytest.raises(WeightsDamaged, match=GENERAL_WDN):
        read_upscaler(good, wrong)


# People's own


@pytest.mark.parametrize(
    ("features", "convolutions", "scale"),
    [(64, 16, 4), (24, 8, 2), (5, 3, 3), (48, 0, 1), (1, 1, 8)],
)
def test_an_srvgg_of_any_size_is_recognized(
    tmp_path: Path, features: int, convolutions: int, scale: int
) -> None:
    read = read_own(tmp_path, srvgg_shapes(features, convolutions, scale))
    assert read is not None
    assert (read.architecture, read.scale, read.multiple) == (Architecture.SRVGG, scale, 1)


@pytest.mark.parametrize(("features", "scale"), [(20_000, 1), (MAX_OWN_FEATURES + 1, 2), (1, 64)])
def test_an_srvgg_that_takes_gigantic_computing_is_refused(
    tmp_path: Path, features: int, scale: int
) -> None:
    with pytest.raises(WeightsDamaged, match="computing"):
        read_own(tmp_path, srvgg_shapes(features, 0, scale))


@pytest.mark.parametrize(("blocks", "scale", "multiple"), [(1, 4, 1), (3, 2, 2), (12, 4, 1)])
def test_an_rrdb_of_any_depth_is_recognized(
    tmp_path: Path, blocks: int, scale: int, multiple: int
) -> None:
    read = read_own(tmp_path, rrdb_shapes(blocks, scale))
    assert read is not None
    assert (read.architecture, read.scale, read.multiple) == (Architecture.RRDB, scale, multiple)


def in_esrgans_names(shapes: Shapes, blocks: int) -> Shapes:
    """As the authors of ESRGAN numbered the layers of one long sequence."""
    places = {"conv_first": "model.0", "conv_body": f"model.1.sub.{blocks}", "conv_up1": "model.3",
              "conv_up2": "model.6", "conv_hr": "model.8", "conv_last": "model.10"}  # fmt: skip

    def renamed(name: str) -> str:
        layer, _, part = name.rpartition(".")
        dense = re.sub(r"body\.(\d+)\.rdb(\d)\.conv(\d)", r"model.1.sub.\1.RDB\2.conv\3.0", layer)
        return f"{places.get(layer, dense)}.{part}"

    return {renamed(name): shape for name, shape in shapes.items()}


def in_bsrgans_names(shapes: Shapes, _blocks: int) -> Shapes:
    places = {"conv_body": "trunk_conv", "conv_up1": "upconv1", "conv_up2": "upconv2",
              "conv_hr": "HRconv"}  # fmt: skip

    def renamed(name: str) -> str:
        layer, _, part = name.rpartition(".")
        dense = re.sub(r"body\.(\d+)\.rdb(\d)\.conv(\d)", r"RRDB_trunk.\1.RDB\2.conv\3", layer)
        return f"{places.get(layer, dense)}.{part}"

    return {renamed(name): shape for name, shape in shapes.items()}


Renaming = Callable[[Shapes, int], Shapes]


@pytest.mark.parametrize("renaming", [in_esrgans_names, in_bsrgans_names])
@pytest.mark.parametrize("blocks", [2, 11])
def test_an_rrdb_in_older_names_is_recognized(
    tmp_path: Path, renaming: Renaming, blocks: int
) -> None:
    shapes = rrdb_shapes(blocks, 4)
    older = renaming(shapes, blocks)
    assert len(older) == len(shapes)
    assert not set(older) & {name for name in shapes if name.startswith("body")}
    read = read_own(tmp_path, older)
    assert read is not None
    assert (read.architecture, read.scale) == (Architecture.RRDB, 4)
    assert {name: value.shape for name, value in read.ends[0].items()} == shapes


@pytest.mark.parametrize("renaming", [in_esrgans_names, in_bsrgans_names])
def test_older_names_are_those_that_spandrel_knows(tmp_path: Path, renaming: Renaming) -> None:
    torch = pytest.importorskip("torch")
    from spandrel.architectures.ESRGAN import ESRGANArch

    chance = np.random.default_rng(1)
    weights = {
        name: chance.normal(size=shape).astype(np.float32)
        for name, shape in rrdb_shapes(2, 4).items()
    }
    older = dict(zip(renaming(rrdb_shapes(2, 4), 2), weights.values(), strict=True))
    tensors = {name: torch.from_numpy(value) for name, value in older.items()}
    theirs = ESRGANArch().load(tensors).model.state_dict()
    save_file(older, tmp_path / "mine.safetensors")
    read = read_upscaler(Installed("mine", tmp_path / "mine.safetensors"), None)
    assert read is not None
    usual = {name: torch.from_numpy(np.array(value)) for name, value in read.ends[0].items()}
    ours = ESRGANArch().load(usual).model.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def without(shapes: Shapes, name: str) -> Shapes:
    return {each: shape for each, shape in shapes.items() if each != name}


def with_features(shapes: Shapes, features: int) -> Shapes:
    return {
        name: tuple(features if side == 64 else side for side in shape)
        for name, shape in shapes.items()
    }


SMALL = srvgg_shapes(8, 2, 2)
OTHERS: Mapping[str, Shapes] = {
    "an RRDB of other features": with_features(rrdb_shapes(1, 4), 48),
    "an RRDB of other growth": {
        name: tuple(16 if side == 32 else side for side in shape)
        for name, shape in rrdb_shapes(1, 4).items()
    },
    "an RRDB that folds 4x4 pixels": {**rrdb_shapes(1, 4), "conv_first.weight": (64, 48, 3, 3)},
    "an RRDB that enlarges once": {
        name: shape for name, shape in rrdb_shapes(1, 4).items() if "conv_up2" not in name
    },
    "an RRDB that lacks a layer": without(rrdb_shapes(2, 4), "body.0.rdb2.conv3.bias"),
    "an RRDB of gray pictures": {**rrdb_shapes(1, 4), "conv_first.weight": (64, 1, 3, 3)},
    "an SRVGG of gray pictures": {
        **SMALL, "body.0.weight": (8, 1, 3, 3), "body.6.weight": (4, 8, 3, 3), "body.6.bias": (4,),
    },
    "an SRVGG of no whole scale": {**SMALL, "body.6.weight": (15, 8, 3, 3), "body.6.bias": (15,)},
    "an SRVGG without leaks": {k: v for k, v in SMALL.items() if len(v) != 1 or "bias" in k},
    "an SRVGG of larger kernels": {
        name: (*shape[:2], 5, 5) if len(shape) == 4 else shape for name, shape in SMALL.items()
    },
    "an SRVGG that gives nothing": {**SMALL, "body.6.weight": (0, 8, 3, 3), "body.6.bias": (0,)},
    "an SRVGG without features": srvgg_shapes(0, 2, 2),
    "one convolution": {"body.0.weight": (3, 3, 3, 3), "body.0.bias": (3,)},
    "a number": {"body.0.bias": (), "body.0.weight": (), "body.-2.bias": ()},
    "an SRVGG with a number beside": {**SMALL, "body.6.bias": ()},
    "something else": {"layers.0.weight": (4, 4)},
    "nothing": {},
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_an_own_file_of_another_architecture_is_left_to_others(tmp_path: Path, other: str) -> None:
    assert read_own(tmp_path, OTHERS[other]) is None


some_shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
some_names = st.sampled_from([*SMALL, *list(rrdb_shapes(0, 4)), "body.-2.bias", "model.0.weight"])


@examples(deadline=None, max_examples=100)
@given(st.dictionaries(some_names, some_shapes, max_size=6))
def test_whatever_an_own_file_holds_it_is_another_architecture_or_one_of_these(
    tmp_path_factory: pytest.TempPathFactory, shapes: dict[str, tuple[int, ...]]
) -> None:
    read = read_own(tmp_path_factory.getbasetemp(), shapes)
    assert read is None or read.scale >= 1


def test_counts_beside_the_weights_do_not_matter(tmp_path: Path) -> None:
    weights = {**weights_of(SMALL), "step": np.array([7])}
    save_file(weights, tmp_path / "mine.safetensors")
    read = read_upscaler(Installed("mine", tmp_path / "mine.safetensors"), None)
    assert read is not None
    assert set(read.ends[0]) == set(SMALL)


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_own_file_that_cannot_be_read_is_damaged(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsDamaged, match=path.name):
        read_upscaler(Installed("mine", path), None)
