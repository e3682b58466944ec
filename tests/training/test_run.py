"""A run: it learns, stops when told to, goes on where it was, and writes what it says."""

import csv
import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors import safe_open
from safetensors.torch import load_file

from testing.photos import skimage_photo
from training.builtin import Budget, Run, build, learning_rate, train
from training.config import Architecture, Config
from training.export import CHECKPOINT, CURVE, curve_points, raw_beside, write_pair
from training.export import main as export
from training.photos import TrainingPhoto, make_batch

CONFIG = dataclasses.replace(
    Config(),
    architecture=Architecture(num_feat=8, num_conv=1),
    patch_px=12,
    batch=2,
    warm_up_steps=2,
    log_every=2,
    validate_every=4,
)
LONG = Budget(minutes=10)


@pytest.fixture(scope="module")
def photos() -> list[TrainingPhoto]:
    return [TrainingPhoto(name, skimage_photo(name)) for name in ("chelsea", "coffee")]


def new_run(state: Path) -> Run:
    return Run(CONFIG, state, torch.device("cpu"))


def trained(state: Path, photos: list[TrainingPhoto], steps: int) -> Run:
    run = new_run(state)
    train(run, photos, photos, Budget(minutes=10, steps=steps))
    return run


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.network.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path, photos: list[TrainingPhoto]) -> None:
    first, again = (trained(tmp_path / name, photos, 3) for name in "ab")
    assert same(weights_of(first), weights_of(again))
    assert same(first.average, again.average)


def test_it_learns_one_batch_by_heart(tmp_path: Path, photos: list[TrainingPhoto]) -> None:
    run = new_run(tmp_path)
    batch = make_batch(photos, CONFIG, 0)
    losses = [run.learn(*batch, rate=2e-3) for _ in range(60)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_joined_operations_learn_the_same(tmp_path: Path, photos: list[TrainingPhoto]) -> None:
    config = dataclasses.replace(CONFIG, bfloat16=False)
    runs = [Run(config, tmp_path, torch.device("cpu"), fused=fused) for fused in (False, True)]
    batch = make_batch(photos, config, 0)
    for _ in range(3):
        plain, fused = (run.learn(*batch, rate=1e-3) for run in runs)
        assert fused == pytest.approx(plain, rel=1e-3)


def test_a_resumed_run_goes_on_where_it_was(tmp_path: Path, photos: list[TrainingPhoto]) -> None:
    before = trained(tmp_path, photos, 4)
    resumed = new_run(tmp_path)
    resumed.resume(None)
    assert resumed.step == 4
    assert [first for first, _ in resumed.stages] == [0, 4]
    assert resumed.seconds == pytest.approx(before.seconds)
    assert same(weights_of(before), weights_of(resumed))
    assert same(before.average, resumed.average)
    batch = make_batch(photos, CONFIG, 4)
    assert before.learn(*batch, rate=1e-3) == resumed.learn(*batch, rate=1e-3)
    # The optimizer's memory went along: the step taken is the same one.
    assert same(weights_of(before), weights_of(resumed))


def test_raw_weights_are_enough_to_go_on(tmp_path: Path, photos: list[TrainingPhoto]) -> None:
    before = trained(tmp_path / "before", photos, 4)
    target = tmp_path / "network.safetensors"
    write_pair(target, before.content(), CONFIG, before.state / CURVE)
    resumed = new_run(tmp_path / "elsewhere")
    resumed.resume(raw_beside(target))
    assert resumed.step == 4
    assert [first for first, _ in resumed.stages] == [0, 4]
    for name, value in weights_of(resumed).items():
        assert torch.allclose(value, before.network.state_dict()[name], atol=1e-3)


def test_nothing_to_resume_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nothing to resume"):
        new_run(tmp_path).resume(None)


def test_sigterm_ends_the_run_with_a_checkpoint(tmp_path: Path) -> None:
    # In a process of its own, as it is used: one that signals itself takes pytest with it.
    program = f"import {__name__} as tests; tests.train_until_told(tests.Path({str(tmp_path)!r}))"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        begun = process.stdout.readline()
        process.terminate()
        process.communicate(timeout=120)
    assert begun.startswith("step=2 ")
    assert process.returncode == 0
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] >= 2


def train_until_told(state: Path) -> None:
    """What the process of the test above does."""
    look = [TrainingPhoto(name, skimage_photo(name)) for name in ("chelsea", "coffee")]
    train(new_run(state), look, look, LONG)


def test_the_signal_is_given_back_after_a_run(tmp_path: Path, photos: list[TrainingPhoto]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    trained(tmp_path, photos, 1)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_curve_is_logged(tmp_path: Path, photos: list[TrainingPhoto]) -> None:
    trained(tmp_path, photos, 8)
    with (tmp_path / CURVE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [2, 4, 6, 8, 8]
    assert [bool(row["validation_psnr_db"]) for row in rows] == [False, True, False, True, True]
    points = curve_points(tmp_path / CURVE)
    assert [step for step, _, _ in points] == [4, 8, 8]
    assert all(10 < psnr < 50 for _, _, psnr in points)


def test_the_exported_file_tells_what_it_is(tmp_path: Path, photos: list[TrainingPhoto]) -> None:
    run = trained(tmp_path, photos, 4)
    target = tmp_path / "network.safetensors"
    write_pair(target, run.content(), CONFIG, tmp_path / CURVE)
    with safe_open(target, framework="pt") as file:
        told = file.metadata()
    shape = (told["architecture"], told["num_feat"], told["num_conv"], told["scale"])
    assert shape == ("SRVGGNetCompact", "8", "1", "4")
    assert told["steps"] == "4"
    assert json.loads(told["config"])["batch"] == CONFIG.batch
    exported = load_file(target)
    assert {value.dtype for value in exported.values()} == {torch.float16}
    for name, value in exported.items():
        assert torch.allclose(value.float(), run.average[name], atol=1e-3)
    assert not same(load_file(raw_beside(target)), exported)


def test_a_checkpoint_is_exported_while_the_run_goes_on(
    tmp_path: Path, photos: list[TrainingPhoto]
) -> None:
    run = trained(tmp_path, photos, 4)
    target = tmp_path / "out" / "network.safetensors"
    export(["--state", str(tmp_path), "--out", str(target)])
    assert load_file(target).keys() == run.average.keys()
    assert target.stat().st_mode & 0o044  # others may read it


def test_the_rate_warms_up_stays_and_cools_down() -> None:
    config = Config()
    first, warm = (learning_rate(step, 0.0, config) for step in (0, config.warm_up_steps))
    assert first < 0.01 * config.learning_rate
    assert warm == pytest.approx(config.learning_rate)
    assert learning_rate(10**6, 1 - config.cool_down, config) == pytest.approx(warm)
    shares = [1 - config.cool_down * left for left in (0.9, 0.5, 0.1, 0.0)]
    cooling = [learning_rate(10**6, share, config) for share in shares]
    assert cooling == sorted(cooling, reverse=True)
    assert cooling[-1] < 0.01 * config.learning_rate


def test_without_a_cool_down_the_rate_stays_for_a_later_run() -> None:
    config = dataclasses.replace(Config(), cool_down=0.0)
    assert learning_rate(10**6, 1.0, config) == pytest.approx(config.learning_rate)


def test_an_untrained_network_is_plain_enlarging() -> None:
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 12, 12)
    plain = torch.nn.functional.interpolate(picture, scale_factor=4, mode="nearest")
    apart = build(Config().architecture)(picture) - plain
    assert float(apart.detach().abs().mean()) < 0.15


def test_a_budget_of_steps_follows_no_clock() -> None:
    assert Budget(minutes=2).share(60, 10**6) == pytest.approx(0.5)
    assert Budget(minutes=2, steps=100).share(60, 80) == pytest.approx(0.8)
    assert Budget(minutes=2, steps=100).share(119, 10) == pytest.approx(0.1)
