"""Muon: even steps in all directions; and that the two optimizers share the parameters."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from training.builtin import build
from training.config import Architecture
from training.optimizer import MUON_RATE, Muon, Optimizers, orthogonal


def test_singular_values_become_nearly_equal() -> None:
    torch.manual_seed(0)
    for shape in ((8, 72), (72, 8), (16, 16)):
        directions = torch.randn(*shape)
        left, _, right = torch.linalg.svd(directions, full_matrices=False)
        uneven = left @ torch.diag(torch.logspace(0, -1.5, min(shape))) @ right
        values = torch.linalg.svdvals(orthogonal(uneven))
        assert float(values.min()) > 0.5
        assert float(values.max()) < 1.3


def test_the_directions_stay() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(8, 72)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    exact = left @ right
    assert float((orthogonal(matrix) * exact).sum() / (8 * 1.0)) > 0.8


def test_a_step_has_the_size_of_the_rate_however_large_the_gradient() -> None:
    for size in (1e-4, 1e4):
        kernel = nn.Parameter(torch.zeros(8, 8, 3, 3))
        torch.manual_seed(0)
        kernel.grad = size * torch.randn(8, 8, 3, 3)
        Muon([kernel], lr=0.1).step()
        spectral = float(torch.linalg.matrix_norm(kernel.detach().flatten(1), ord=2))
        assert 0.05 < spectral < 0.13
        assert float((kernel.detach() * kernel.grad).sum()) < 0  # downhill


def test_the_body_goes_by_muon_and_every_parameter_by_one_of_the_two() -> None:
    torch.manual_seed(0)
    network = build(Architecture(num_feat=8, num_conv=3))
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    network(torch.rand(1, 3, 12, 12)).mean().backward()
    Optimizers(network, (0.9, 0.99)).step(1e-3)
    moved = {name: (value - before[name]).detach() for name, value in network.named_parameters()}
    # Adam's first step is the rate for each number; Muon's, 20 times it for each direction.
    bodies = [name for name, value in before.items() if value.shape == (8, 8, 3, 3)]
    assert len(bodies) == 3
    for name, step in moved.items():
        assert float(step.abs().max()) > 0, name
        if name in bodies:
            spectral = float(torch.linalg.matrix_norm(step.flatten(1), ord=2))
            assert 0.5 * MUON_RATE < spectral / 1e-3 < 1.3 * MUON_RATE
        else:
            assert float(step.abs().max()) < 1.01e-3
