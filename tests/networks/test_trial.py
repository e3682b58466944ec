"""Files from outside are tried in a process of their own, which may die of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from photoenhance_ui.networks import trial
from photoenhance_ui.networks.shapes import srvgg_shapes
from photoenhance_ui.networks.trial import UNKNOWN, problem_of
from photoenhance_ui.settings import Settings
from tests.networks.random_weights import random_srvgg, write_span


def test_a_network_that_runs_has_no_problem(tmp_path: Path, settings: Settings) -> None:
    save_file(random_srvgg(8, 2, 3), tmp_path / "mine.safetensors")
    assert problem_of(tmp_path / "mine.safetensors", settings) is None


def test_so_has_one_that_only_torch_knows(tmp_path: Path, settings: Settings) -> None:
    pytest.importorskip("torch")
    write_span(tmp_path / "mine.pth")
    assert problem_of(tmp_path / "mine.pth", settings) is None


def test_what_needs_more_memory_than_its_file_is_the_reason_for_is_refused(
    tmp_path: Path, settings: Settings
) -> None:
    """Windows of 180 pixels: a table of 1 MB stands for an index of 8 GB."""
    torch = pytest.importorskip("torch")
    from tests.networks.swin import swin

    weights = {
        name: torch.zeros(359**2, 2) if "bias_table" in name else value
        for name, value in swin().items()
        if not name.endswith(("attn_mask", "position_index"))
    }
    torch.save(weights, tmp_path / "mine.pth")
    told = problem_of(tmp_path / "mine.pth", settings)
    assert told is not None and told[0] == "weights_damaged"


def not_numbers(path: Path) -> None:
    save_file({n: np.full(s, np.nan, np.float32) for n, s in srvgg_shapes(8, 1, 2).items()}, path)


def too_wide(path: Path) -> None:
    save_file({n: np.zeros(s, np.float32) for n, s in srvgg_shapes(20_000, 0, 1).items()}, path)


def nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("write", [not_numbers, too_wide, nothing])
def test_what_does_not_run_is_told_with_a_sentence(
    tmp_path: Path, settings: Settings, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "mine.safetensors")
    told = problem_of(tmp_path / "mine.safetensors", settings)
    assert told is not None
    code, sentence = told
    assert code == "weights_damaged"
    assert "mine.safetensors" in sentence and str(tmp_path) not in sentence


def test_what_never_ends_is_ended(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TRIAL_S", 0.01)
    save_file(random_srvgg(8, 2, 3), tmp_path / "mine.safetensors")
    told = problem_of(tmp_path / "mine.safetensors", settings)
    assert told is not None and "memory or time" in told[1]


def test_a_name_of_no_network_is_unknown(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"?")
    assert problem_of(tmp_path / "mine.onnx", settings) == (UNKNOWN, "")
