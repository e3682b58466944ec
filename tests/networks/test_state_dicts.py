"""Weight files: every form that authors use, nothing that runs code, and one error for the rest."""

import json
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.state_dicts import (
    floats_of,
    interpolated,
    load_arrays,
    weights_errors_told,
)

Writer = Callable[[Any, Path], None]


def in_torch(tree: Any) -> Any:
    """The same with tensors in the place of arrays."""
    import torch

    if isinstance(tree, dict):
        return {key: in_torch(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [in_torch(value) for value in tree]
    return torch.from_numpy(tree.copy()) if isinstance(tree, np.ndarray) else tree


def write_zip(tree: Any, path: Path) -> None:
    pytest.importorskip("torch").save(in_torch(tree), path)


def write_old(tree: Any, path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(in_torch(tree), path, _use_new_zipfile_serialization=False)


def write_pickle(tree: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(tree))


TORCH_FORMS: dict[str, Writer] = {"zip": write_zip, "before torch 1.6": write_old}
FORMS: dict[str, Writer] = {**TORCH_FORMS, "pickle": write_pickle}


def small_state(dtype: Any = np.float32) -> dict[str, NDArray[Any]]:
    """A convolution and a normalization, which counts its batches."""
    chance = np.random.default_rng(1)
    shapes = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "1.running_mean": (4,)}
    floats = {name: chance.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    return {**floats, "1.num_batches_tracked": np.array(2**40)}


def weights(value: float) -> dict[str, NDArray[np.float32]]:
    return {"weight": np.full(2, value, np.float32)}


def saved(tree: Any, folder: Path, name: str = "network.pth") -> Path:
    write_zip(tree, folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ({"params": weights(1), "params_ema": weights(2)}, 2),
        ({"params_ema": weights(2), "params": weights(1)}, 2),
        ({"params": weights(1), "step": 7, "optimizer": {"lr": 0.1}}, 1),
        (weights(3), 3),
        ({"state_dict": weights(4), "epoch": 2}, 4),
        ({"model": {"params-ema": weights(5)}}, 5),
    ],
    ids=["averaged", "averaged first", "not averaged", "plain", "of a trainer", "deeper"],
)
def test_the_averaged_weights_are_preferred(
    content: dict[str, Any], value: float, tmp_path: Path
) -> None:
    arrays = load_arrays(saved(content, tmp_path))
    assert list(arrays) == ["weight"]
    assert np.array_equal(arrays["weight"], weights(value)["weight"])


@pytest.mark.parametrize("form", TORCH_FORMS)
def test_both_forms_of_torch_files_are_read(form: str, tmp_path: Path) -> None:
    state, path = small_state(), tmp_path / "network.pth"
    TORCH_FORMS[form]({"params": state}, path)
    arrays = load_arrays(path)
    assert list(arrays) == list(state)
    for name, value in state.items():
        assert arrays[name].dtype == value.dtype
        assert np.array_equal(arrays[name], value)


def test_the_mark_of_parallel_training_is_taken_away_at_the_beginning_only(
    tmp_path: Path,
) -> None:
    path = tmp_path / "network.safetensors"
    one = np.ones(1, np.float32)
    save_file({"module.a.weight": one, "b.module.weight": one}, path)
    assert set(load_arrays(path)) == {"a.weight", "b.module.weight"}


def test_halves_become_floats_and_counts_stay_whole(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    kinds = {"half": torch.float16, "brain": torch.bfloat16, "double": torch.float64}
    state = {name: torch.tensor([0.1], dtype=kind) for name, kind in kinds.items()}
    torch.save({**state, "count": torch.tensor(2**40)}, tmp_path / "network.pth")
    arrays = load_arrays(tmp_path / "network.pth")
    for name, value in state.items():
        assert arrays[name].dtype == np.float32
        assert arrays[name] == value.float().numpy()
    assert (arrays["count"].dtype, int(arrays["count"])) == (np.int64, 2**40)


@pytest.mark.parametrize("suffix", [".safetensors", ".SAFETENSORS"])
def test_safetensors_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"network{suffix}"
    save_file(small_state(np.float16), path, metadata={"scale": "4"})
    arrays = load_arrays(path)
    for name, value in small_state(np.float16).items():
        assert np.array_equal(arrays[name], value)
    assert {value.dtype for value in floats_of(arrays).values()} == {np.dtype(np.float32)}


def safetensors_of(dtype: str, shape: list[int], data: bytes) -> bytes:
    """A file of one weight, byte by byte: NumPy has no such type."""
    told = {"weight": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}
    header = json.dumps(told).encode()
    return struct.pack("<Q", len(header)) + header + data


def test_safetensors_in_bfloat16_are_read(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    numbers = np.array([[1.5, -0.15625, 3e38], [0, np.inf, -2]], np.float32)
    upper_halves = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    path.write_bytes(safetensors_of("BF16", [2, 3], upper_halves.tobytes()))
    (weight,) = load_arrays(path).values()
    assert weight.dtype == np.float32
    assert weight == pytest.approx(numbers, rel=1 / 128)
    assert weight[0, 0] == 1.5


def test_a_safetensors_file_of_a_type_that_no_network_has_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    path.write_bytes(safetensors_of("F8_E4M3", [2], b"\x01\x02"))
    with pytest.raises(WeightsDamaged):
        load_arrays(path)


def test_the_numbers_of_a_network_are_told_from_its_counts() -> None:
    assert set(floats_of(small_state())) == set(small_state()) - {"1.num_batches_tracked"}


class Harm:
    """Makes a folder when it is unpickled as pickle would do it."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self._mark,)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_would_run_code_is_damaged_and_runs_none(form: str, tmp_path: Path) -> None:
    path, mark = tmp_path / "network.pth", tmp_path / "harmed"
    FORMS[form]({"params": weights(1), "more": Harm(mark)}, path)
    with pytest.raises(WeightsDamaged, match=r"network\.pth"):
        load_arrays(path)
    assert not mark.exists()
    # The same file does its harm to somebody who is less careful.
    if form == "pickle":
        pickle.loads(path.read_bytes())
    else:
        pytest.importorskip("torch").load(path, weights_only=False)
    assert mark.exists()


def whole_file(form: str, folder: Path) -> Path:
    if form == "safetensors":
        save_file(small_state(np.float16), folder / "network.safetensors")
        return folder / "network.safetensors"
    TORCH_FORMS[form]({"params": small_state(np.float16)}, folder / f"{form}.pth")
    return folder / f"{form}.pth"


@pytest.fixture(scope="module", params=[*TORCH_FORMS, "safetensors"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same few weights in every form."""
    return whole_file(request.param, tmp_path_factory.mktemp("whole"))


@examples(deadline=None, max_examples=50)
@given(st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_anywhere_is_damaged(whole: Path, share: float) -> None:
    cut = whole.with_name(f"cut{whole.suffix}")
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    with pytest.raises(WeightsDamaged):
        load_arrays(cut)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spoiled")


@examples(deadline=None)
@given(st.binary(max_size=100), st.sampled_from([".pth", ".safetensors"]))
def test_garbage_is_damaged(folder: Path, garbage: bytes, suffix: str) -> None:
    path = folder / f"garbage{suffix}"
    path.write_bytes(garbage)
    with pytest.raises(WeightsDamaged):
        load_arrays(path)


@examples(deadline=None, max_examples=100)
@given(st.data())
def test_flipped_bits_are_read_or_damaged_and_nothing_else(
    whole: Path, data: st.DataObject
) -> None:
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = whole.with_name(f"flipped{whole.suffix}")
    path.write_bytes(content)
    try:
        arrays = load_arrays(path)
    except WeightsDamaged:
        return
    assert all(isinstance(value, np.ndarray) for value in arrays.values())


@pytest.mark.parametrize(
    "content",
    [[1, 2], 5, {"params": [np.ones(1)]}, {"weight": 3}, {7: np.ones(1)}, np.ones(2)],
    ids=["list", "number", "list inside", "no tensor", "numbered", "one tensor"],
)
def test_what_is_no_list_of_weights_is_damaged(content: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsDamaged):
        load_arrays(saved(content, tmp_path))


def test_what_is_no_file_of_weights_at_all_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "folder.pth").mkdir()
    with tarfile.open(tmp_path / "archive.pth", "w"):
        pass
    (tmp_path / "photo.safetensors").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    for path in (*tmp_path.iterdir(), tmp_path / "missing.pth", tmp_path / "missing.safetensors"):
        with pytest.raises(WeightsDamaged):
            load_arrays(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_would_never_end_is_not_read(tmp_path: Path, suffix: str) -> None:
    pipe, endless, vast = (tmp_path / f"{name}{suffix}" for name in ("pipe", "endless", "vast"))
    os.mkfifo(pipe)
    endless.symlink_to("/dev/zero")
    with vast.open("wb") as file:
        file.truncate(1 << 40)
    for path in (pipe, endless, vast):
        with pytest.raises(WeightsDamaged, match="too large"):
            load_arrays(path)


@pytest.mark.parametrize(
    "shape", [[20_000, 20_000], [2**62, 8], [5]], ids=["more", "beyond numbers", "by one"]
)
def test_a_header_that_claims_more_than_the_file_has_is_damaged(
    tmp_path: Path, shape: list[int]
) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 16]}}).encode()
    path = tmp_path / "lie.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    with pytest.raises(WeightsDamaged, match=path.name):
        load_arrays(path)


def test_the_sentence_names_the_file_and_not_the_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsDamaged) as caught:
        load_arrays(tmp_path / "missing.pth")
    assert "missing.pth" in caught.value.sentence
    assert str(tmp_path) not in caught.value.sentence


@pytest.mark.parametrize("error", [KeyError("0.weight"), ValueError("shape"), RuntimeError("any")])
def test_a_graph_that_cannot_be_built_of_a_file_tells_of_the_file(error: Exception) -> None:
    with (
        pytest.raises(WeightsDamaged, match=r"any\.pth") as caught,
        weights_errors_told(Path("folder/any.pth")),
    ):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(("share", "expected"), [(1.0, 4.0), (0.0, 8.0), (0.25, 7.0)])
def test_between_two_networks_each_weight_lies_by_the_share_of_the_first(
    share: float, expected: float
) -> None:
    between = interpolated(weights(4), weights(8), share)
    assert list(between) == ["weight"]
    assert between["weight"] == pytest.approx(expected)
    assert between["weight"].dtype == np.float32
