"""Muon (Jordan et al., 2024) for the body's convolutions, Adam for everything else.

Muon takes the direction of a kernel's momentum with all its singular values made nearly equal, by
five Newton-Schulz steps, so that rare directions are learned as fast as common ones. torch's own
class takes matrices only; a convolution's kernel is one here, (outputs, inputs * height * width).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan's coefficients: steep at 0, near 1 after 5 steps
NEWTON_SCHULZ_STEPS = 5
MOMENTUM = 0.95
MUON_RATE = 20.0  # times Adam's: a step of 0.02 where Adam's is 0.001


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with its singular values between about 0.7 and 1.2; its directions stay."""
    a, b, c = NEWTON_SCHULZ
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


class Muon(torch.optim.Optimizer):
    """Steps of one size along the orthogonal momentum (Nesterov's, by moving averages)."""

    def __init__(self, kernels: list[nn.Parameter], lr: float) -> None:
        super().__init__(kernels, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step along each kernel's gradient."""
        assert closure is None, "gradients are worked out before the step"
        for group in self.param_groups:
            for kernel in group["params"]:
                state: dict[str, Any] = self.state[kernel]
                average = state.setdefault("average", torch.zeros_like(kernel))
                average.lerp_(kernel.grad, 1 - MOMENTUM)
                direction = orthogonal(kernel.grad.lerp(average, MOMENTUM).flatten(1))
                kernel.add_(direction.view_as(kernel), alpha=-group["lr"])


class Optimizers:
    """The two together, with one learning rate: that of Adam."""

    def __init__(self, network: nn.Module, betas: tuple[float, float]) -> None:
        convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        body = [convolution.weight for convolution in convolutions[1:-1]]
        rest = [p for p in network.parameters() if all(p is not kernel for kernel in body)]
        self._muon = Muon(body, lr=0.0)
        self._adam = torch.optim.Adam(rest, lr=0.0, betas=betas)

    def step(self, rate: float) -> None:
        """One step of both along the gradients that are there."""
        for optimizer, times in ((self._muon, MUON_RATE), (self._adam, 1.0)):
            for group in optimizer.param_groups:
                group["lr"] = rate * times
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """What must survive a stop."""
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Go on with what was kept."""
        self._muon.load_state_dict(kept["muon"])
        self._adam.load_state_dict(kept["adam"])
