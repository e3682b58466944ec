"""Weight files: every form that authors use, nothing that runs code, and one error for the rest."""

import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.state_dicts import fill, load_state_dict, read_metadata

Writer = Callable[[Any, Path], None]
WRITERS: dict[str, Writer] = {
    "zip": torch.save,
    "before torch 1.6": lambda what, path: torch.save(
        what, path, _use_new_zipfile_serialization=False
    ),
    "pickle": lambda what, path: path.write_bytes(pickle.dumps(what)) and None,
}


def small_network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def weights(value: float) -> dict[str, Tensor]:
    return {"weight": torch.full((2,), value)}


def saved(what: Any, folder: Path, name: str = "network.pth") -> Path:
    torch.save(what, folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ({"params": weights(1), "params_ema": weights(2)}, 2),
        ({"params_ema": weights(2), "params": weights(1)}, 2),
        ({"params": weights(1), "step": 7, "optimizer": {"lr": 0.1}}, 1),
        (weights(3), 3),
    ],
    ids=["averaged", "averaged first", "not averaged", "plain"],
)
def test_the_averaged_weights_are_preferred(
    content: dict[str, Any], value: float, tmp_path: Path
) -> None:
    state = load_state_dict(saved(content, tmp_path))
    assert list(state) == ["weight"]
    assert torch.equal(state["weight"], weights(value)["weight"])


@pytest.mark.parametrize("form", ["zip", "before torch 1.6"])
def test_both_forms_of_torch_files_are_read(form: str, tmp_path: Path) -> None:
    network, path = small_network(), tmp_path / "network.pth"
    WRITERS[form]({"params": network.state_dict()}, path)
    state = load_state_dict(path)
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())


def test_the_mark_of_parallel_training_is_taken_away_at_the_beginning_only(
    tmp_path: Path,
) -> None:
    state = {"module.a.weight": torch.ones(1), "b.module.weight": torch.zeros(1)}
    assert set(load_state_dict(saved(state, tmp_path))) == {"a.weight", "b.module.weight"}


def test_halves_become_floats_and_counts_stay_whole(tmp_path: Path) -> None:
    state = load_state_dict(
        saved(
            {
                "half": torch.tensor([0.1], dtype=torch.float16),
                "brain": torch.tensor([0.1], dtype=torch.bfloat16),
                "double": torch.tensor([0.1], dtype=torch.float64),
                "count": torch.tensor(2**40),
            },
            tmp_path,
        )
    )
    assert {state[key].dtype for key in ("half", "brain", "double")} == {torch.float32}
    assert float(state["half"]) == float(torch.tensor(0.1).half())
    assert (state["count"].dtype, int(state["count"])) == (torch.int64, 2**40)


def test_safetensors_are_read_with_their_text_entries(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_file(
        {"module.weight": torch.tensor([0.5, 2.0]).half()}, path, metadata={"scale": "4", "by": "I"}
    )
    state = load_state_dict(path)
    assert torch.equal(state["weight"], torch.tensor([0.5, 2.0]))
    assert read_metadata(path) == {"scale": "4", "by": "I"}


def test_safetensors_without_text_entries_have_none(tmp_path: Path) -> None:
    save_file(weights(1), tmp_path / "network.safetensors")
    assert read_metadata(tmp_path / "network.safetensors") == {}


class Harm:
    """Makes a folder when it is unpickled as pickle would do it."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self._mark,)


@pytest.mark.parametrize("form", WRITERS)
def test_a_file_that_would_run_code_is_damaged_and_runs_none(form: str, tmp_path: Path) -> None:
    path, mark = tmp_path / "network.pth", tmp_path / "harmed"
    WRITERS[form]({"params": weights(1), "more": Harm(mark)}, path)
    with pytest.raises(WeightsDamaged, match=r"network\.pth"):
        load_state_dict(path)
    assert not mark.exists()
    # The same file does its harm to somebody who is less careful.
    if form == "pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert mark.exists()


def small_files(folder: Path) -> tuple[Path, ...]:
    """The same few weights in every form."""
    state = {"params": {key: value.half() for key, value in small_network().state_dict().items()}}
    forms = ("zip", "before torch 1.6")
    paths = tuple(folder / f"{form}.pth" for form in forms)
    for form, path in zip(forms, paths, strict=True):
        WRITERS[form](state, path)
    save_file(state["params"], folder / "network.safetensors")
    return *paths, folder / "network.safetensors"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return small_files(tmp_path_factory.mktemp("whole"))


@examples(deadline=None, max_examples=150)
@given(st.integers(0, 2), st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_anywhere_is_damaged(
    files: tuple[Path, ...], form: int, share: float
) -> None:
    whole = files[form]
    cut = whole.with_name(f"cut{whole.suffix}")
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    with pytest.raises(WeightsDamaged):
        load_state_dict(cut)


@examples(deadline=None)
@given(st.binary(max_size=100), st.sampled_from([".pth", ".safetensors"]))
def test_garbage_is_damaged(files: tuple[Path, ...], garbage: bytes, suffix: str) -> None:
    path = files[0].with_name(f"garbage{suffix}")
    path.write_bytes(garbage)
    with pytest.raises(WeightsDamaged):
        load_state_dict(path)


@examples(deadline=None, max_examples=200)
@given(st.data())
def test_flipped_bits_are_read_or_damaged_and_nothing_else(
    files: tuple[Path, ...], data: st.DataObject
) -> None:
    content = bytearray(files[1].read_bytes())  # the old form is one long program of a pickle
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = files[1].with_name("flipped.pth")
    path.write_bytes(content)
    try:
        state = load_state_dict(path)
    except WeightsDamaged:
        return
    assert all(isinstance(value, Tensor) for value in state.values())


@pytest.mark.parametrize(
    "content",
    [[1, 2], 5, {"params": [torch.ones(1)]}, {"weight": 3}, {7: torch.ones(1)}, torch.ones(2)],
    ids=["list", "number", "list inside", "no tensor", "numbered", "one tensor"],
)
def test_what_is_no_list_of_weights_is_damaged(content: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsDamaged):
        load_state_dict(saved(content, tmp_path))


def test_what_is_no_file_of_weights_at_all_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "folder.pth").mkdir()
    with tarfile.open(tmp_path / "archive.pth", "w"):
        pass
    (tmp_path / "photo.safetensors").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    for path in (*tmp_path.iterdir(), tmp_path / "missing.pth", tmp_path / "missing.safetensors"):
        with pytest.raises(WeightsDamaged):
            load_state_dict(path)
        if path.suffix == ".safetensors":
            with pytest.raises(WeightsDamaged):
                read_metadata(path)


def test_the_sentence_names_the_file_and_not_the_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsDamaged) as caught:
        load_state_dict(tmp_path / "missing.pth")
    assert "missing.pth" in caught.value.sentence
    assert str(tmp_path) not in caught.value.sentence


def test_a_network_takes_its_own_weights() -> None:
    state = {key: torch.rand_like(value.float()) for key, value in small_network().named_buffers()}
    state |= {key: torch.rand_like(value) for key, value in small_network().named_parameters()}
    filled = fill(small_network(), state, Path("any.pth"))
    assert torch.equal(filled.state_dict()["0.weight"], state["0.weight"])


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {key: value for key, value in state.items() if key != "2.bias"},
        lambda state: {**state, "3.weight": torch.ones(1)},
        lambda state: {**state, "0.weight": state["0.weight"][:, :1]},
        lambda state: {f"other.{key}": value for key, value in state.items()},
        lambda state: {},
    ],
    ids=["one missing", "one too many", "other shape", "other names", "none"],
)
def test_weights_of_another_network_are_damaged(
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]],
) -> None:
    with pytest.raises(WeightsDamaged, match=r"any\.pth"):
        fill(small_network(), change(small_network().state_dict()), Path("any.pth"))
