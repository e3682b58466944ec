"""Train the built-in network: ``python -m training.builtin --photos DIR --out FILE``.

Writes the averaged weights (fp16 safetensors) to FILE, the raw ones beside it, and keeps a
checkpoint in ``--state``, from which ``--resume`` goes on; without a checkpoint it goes on from
``--raw`` weights. Stops by itself after ``--minutes`` (or ``--steps``), and cleanly at SIGTERM.
"""

import argparse
import csv
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from photoenhance_ui.replacing import replacing
from training.config import Architecture, Config
from training.degrade import degrade
from training.export import CHECKPOINT, CURVE, history, recipe_commit, write_pair
from training.optimizer import Optimizers
from training.photos import TrainingPhoto, batches_from, read_photos, refuse_overlap, split

COLDEST = 0.005  # of the learning rate, at the end
LUMA = (0.299, 0.587, 0.114)
LOSS_UNIT = 100.0  # so that the limit of the gradient's norm cuts off only rare steps
RANDOM_SHARE = 0.3  # of the usual random start, beside the channels that are passed on


def build(architecture: Architecture) -> nn.Module:
    """The untrained network: it begins as plain enlarging.

    Its last layer starts near zero, and each convolution of the body passes its channels on with
    a little of a random one beside: the same as adding its input to its output, which a deep
    network learns from sooner, without an addition when it is used.
    """
    from spandrel.architectures.Compact import Compact

    network: nn.Module = Compact(
        num_in_ch=3,
        num_out_ch=3,
        num_feat=architecture.num_feat,
        num_conv=architecture.num_conv,
        upscale=architecture.scale,
        act_type="prelu",
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=0.25, nonlinearity="leaky_relu")
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for convolution in convolutions[1:-1]:
            passed_on = nn.init.dirac_(torch.empty_like(convolution.weight))
            convolution.weight.mul_(RANDOM_SHARE).add_(passed_on)
        convolutions[-1].weight.mul_(0.1)
    return network


def as_tensor(pictures: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(N, H, W, 3) levels -> (N, 3, H, W) in 0..1."""
    return torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float().div_(255)


def loss_of(output: Tensor, sharp: Tensor, config: Config) -> Tensor:
    """Mean squared error of luma (ITU-R BT.601) plus a share of that of the colours.

    Where a damaged photo leaves several originals possible, the least squared error is their
    mean, the least absolute one their median, which is further away in PSNR.
    """
    difference = output - sharp
    luma = torch.einsum("nchw,c->nhw", difference, difference.new_tensor(LUMA))
    total: Tensor = luma.square().mean() + config.colour_weight * difference.square().mean()
    return LOSS_UNIT * total


def learning_rate(step: int, share: float, config: Config) -> float:
    """Linear warm-up by steps, then even, then falling over the last part of the budget.

    ``share`` 0..1 is the used part of the budget, ``config.cool_down`` that in which it falls in
    a line to nearly nothing (Hu et al., MiniCPM, 2024). Before that a run can be stopped, and gone
    on with under another budget, without having chosen its end at its start.
    """
    warm = min(1.0, (step + 1) / config.warm_up_steps)
    left = min(1.0, (1 - share) / config.cool_down) if config.cool_down > 0 else 1.0
    return config.learning_rate * warm * max(left, COLDEST)


@torch.no_grad()
def validation_psnr(network: nn.Module, photos: list[TrainingPhoto], config: Config) -> float:
    """Mean PSNR in dB of degraded middles of the kept-aside photos; the same ones every time."""
    network.eval()
    device = next(network.parameters()).device
    chance = np.random.default_rng(config.seed)
    scale, side = config.architecture.scale, 256
    values = []
    for photo in photos:
        top, left = ((length - side) // 2 for length in photo.pixels.shape[:2])
        sharp = photo.pixels[top : top + side, left : left + side]
        small = degrade(sharp, scale, config.degradation, chance)
        output = network(as_tensor(small[None], device)).clamp(0, 1)
        error = (output - as_tensor(sharp[None].copy(), device)).square().mean().item()
        values.append(-10 * math.log10(max(error, 1e-10)))
    network.train()
    return float(np.mean(values))


class Run:
    """One training run with everything that must survive a stop."""

    def __init__(
        self, config: Config, state: Path, device: torch.device, *, fused: bool = False
    ) -> None:
        """``fused`` has torch.compile join operations, which takes a compiler of C++."""
        torch.manual_seed(config.seed)
        self.config = config
        self.state = state
        self.device = device
        # Channels last: the layout in which convolutions of bfloat16 are fastest.
        self.network = build(config.architecture).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._forward = torch.compile(self.network) if fused else self.network
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimizers = Optimizers(self.network, config.betas)
        self.step = 0
        self.seconds = 0.0
        self.stages = [[0, recipe_commit()]]
        state.mkdir(parents=True, exist_ok=True)

    def content(self) -> dict[str, Any]:
        """Everything that must survive, as a checkpoint holds it."""
        return {
            "raw": self.network.state_dict(),
            "average": self.average,
            "optimizers": self.optimizers.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "stages": self.stages,
            "device": _name_of(self.device),
        }

    def save(self) -> None:
        """Write the checkpoint; whole or not at all."""
        with replacing(self.state / CHECKPOINT) as part:
            torch.save(self.content(), part)

    def resume(self, raw: Path | None) -> None:
        """Go on from the checkpoint, or from raw weights with a fresh optimizer."""
        checkpoint = self.state / CHECKPOINT
        if checkpoint.exists():
            kept: dict[str, Any] = torch.load(
                checkpoint, weights_only=True, map_location=self.device
            )
            self.network.load_state_dict(kept["raw"])
            self.optimizers.load_state_dict(kept["optimizers"])
            self.average, self.step, self.seconds = kept["average"], kept["step"], kept["seconds"]
            self.stages = [*kept["stages"], [self.step, recipe_commit()]]
        elif raw is not None:
            weights = {k: v.float().to(self.device) for k, v in load_file(raw).items()}
            self.network.load_state_dict(weights)
            self.average = {k: v.clone() for k, v in weights.items()}
            self.step, self.seconds, stages = history(raw)
            self.stages = [*stages, [self.step, recipe_commit()]]
        else:
            raise SystemExit("There is nothing to resume from: no checkpoint and no --raw file.")

    def learn(self, degraded: NDArray[np.uint8], sharp: NDArray[np.uint8], rate: float) -> float:
        """One step; gives the loss. Convolutions multiply in bfloat16, weights stay float32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bfloat16):
            output = self._forward(as_tensor(degraded, self.device))
        loss = loss_of(output.float(), as_tensor(sharp, self.device), self.config)
        self.network.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimizers.step(rate)
        self.step += 1
        keep = min(self.config.ema, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value, 1 - keep)
        return float(loss.detach())

    def averaged(self) -> nn.Module:
        """The network with its averaged weights."""
        network = build(self.config.architecture).to(self.device)
        network.load_state_dict(self.average)
        return network


@dataclass(frozen=True)
class Budget:
    """How long to train: so many minutes, or so many steps where those are given.

    By steps a run is the same each time: its rate follows them and not the clock.
    """

    minutes: float = 90.0
    steps: int | None = None

    def share(self, seconds: float, steps: int) -> float:
        """The used part, 0 at the start; 1 and above: over."""
        return seconds / (self.minutes * 60) if self.steps is None else steps / self.steps


def train(
    run: Run,
    learn: list[TrainingPhoto],
    look: list[TrainingPhoto],
    budget: Budget,
    workers: int = 1,
) -> None:
    """Train until the budget of this run is used up, or until SIGTERM."""
    config = run.config
    began = saved = time.monotonic()
    seconds_before, steps_before = run.seconds, run.step
    losses: list[float] = []
    with _told_to_stop() as stop, batches_from(run.step, learn, config, workers) as batches:
        for degraded, sharp in batches:
            spent = time.monotonic() - began
            share = budget.share(spent, run.step - steps_before)
            if stop.is_set() or share >= 1:
                break
            rate = learning_rate(run.step - steps_before, share, config)
            losses.append(run.learn(degraded, sharp, rate))
            run.seconds = seconds_before + time.monotonic() - began
            if run.step % config.log_every == 0:
                due = run.step % config.validate_every == 0
                psnr = validation_psnr(run.averaged(), look, config) if due else None
                _log(run, float(np.mean(losses)), rate, psnr)
                losses.clear()
            if time.monotonic() - saved > config.checkpoint_minutes * 60:
                run.save()
                saved = time.monotonic()
    run.save()
    _log(run, float(np.mean(losses or [0])), 0.0, validation_psnr(run.averaged(), look, config))


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM sets, for as long as the run goes on."""
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{device.type}, {torch.get_num_threads()} threads"


def _log(run: Run, loss: float, rate: float, psnr: float | None) -> None:
    row = {
        "step": run.step,
        "minutes": round(run.seconds / 60, 2),
        "loss": round(loss, 6),
        "learning_rate": round(rate, 8),
        "validation_psnr_db": "" if psnr is None else round(psnr, 3),
    }
    path = run.state / CURVE
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    print(*(f"{k}={v}" for k, v in row.items() if v != ""), flush=True)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="training.builtin", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder with sharp photos")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--exclude", type=Path, help="evaluation photos: refuse any overlap")
    parser.add_argument("--state", type=Path, default=Path("state/training"))
    parser.add_argument("--minutes", type=float, default=Budget.minutes, help="of this run")
    parser.add_argument("--steps", type=int, help="of this run, in place of minutes")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--raw", type=Path, help="raw weights to resume from without checkpoint")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; default: torch's own choice")
    parser.add_argument("--workers", type=int, default=1, help="threads that degrade patches")
    parser.add_argument(
        "--float32",
        action="store_true",
        help="multiply in float32, where a processor has no bfloat16: half as fast where it has",
    )
    parser.add_argument(
        "--fused",
        action="store_true",
        help="join operations by torch.compile: a fifth to a third faster; needs a C++ compiler",
    )
    parser.add_argument("--learning-rate", type=float, default=Config.learning_rate)
    parser.add_argument(
        "--cool-down",
        type=float,
        default=Config.cool_down,
        help="part of this run, 0..1, in which the learning rate falls; 0: it goes on later",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Read, check, train, write."""
    given = parsed(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    config = replace(
        Config(),
        learning_rate=given.learning_rate,
        cool_down=given.cool_down,
        bfloat16=not given.float32,
    )
    photos = read_photos(given.photos)
    if given.exclude is not None:
        refuse_overlap(photos, read_photos(given.exclude))
    learn, look = split(photos, config.validation_every)
    print(f"photos={len(learn)} validation={len(look)}", flush=True)
    run = Run(config, given.state, torch.device(given.device), fused=given.fused)
    if given.resume:
        run.resume(given.raw)
    train(run, learn, look, Budget(given.minutes, given.steps), given.workers)
    write_pair(given.out, run.content(), config, given.state / CURVE)
    print(f"wrote {given.out.name} after {run.step} steps", flush=True)


if __name__ == "__main__":
    main()
