"""Joined operations give what the plain network gives, and the plain network is there instead."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn
from torch._dynamo.utils import counters

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.networks.on_torch.architectures import UPSCALERS, module_of
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.torch_compile import TorchCompiled
from tests.networks.random_weights import random_srvgg

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")


class Faces(nn.Module):
    """As GFPGAN is called and answers."""

    def forward(self, faces: Tensor, return_rgb: bool = True) -> tuple[Tensor, list[Tensor]]:
        return faces * 2 + 1, [faces] if return_rgb else []


@needs_compiler
def test_photos_of_all_sizes_come_out_as_from_the_plain_network() -> None:
    plain = module_of(UPSCALERS[Architecture.SRVGG], random_srvgg(8, 2, 2), Path("any.pth")).eval()
    compiled = Placement(torch.device("cpu"), fuse=True).settle(plain)
    assert isinstance(compiled, TorchCompiled)
    counters.clear()
    with torch.inference_mode():
        for height, width in ((16, 24), (33, 20), (21, 64), (40, 41), (9, 100)):
            picture = torch.rand(1, 3, height, width)
            output, expected = compiled(picture), plain(picture)
            assert output.shape == (1, 3, 2 * height, 2 * width)
            assert torch.allclose(output, expected, atol=1e-5)
    assert counters["stats"]["unique_graphs"] == 1, "joined once, for all sizes"


@needs_compiler
def test_a_network_that_gives_more_than_a_picture() -> None:
    faces = torch.rand(2, 3, 8, 8)
    with torch.inference_mode():
        picture, more = TorchCompiled(Faces())(faces, return_rgb=False)
    assert torch.allclose(picture, faces * 2 + 1)
    assert more == []


class Joined:
    """Takes the place of what torch.compile gives."""

    def __init__(self, answer: Callable[[Tensor], Any]) -> None:
        self.calls, self._answer = 0, answer

    def __call__(self, picture: Tensor) -> Any:
        self.calls += 1
        return self._answer(picture)


def compiled_as(
    answer: Callable[[Tensor], Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[TorchCompiled, Joined]:
    joined = Joined(answer)
    monkeypatch.setattr(torch, "compile", lambda *_, **__: joined)
    return TorchCompiled(nn.ReLU()), joined


def fails(picture: Tensor) -> Tensor:
    raise RuntimeError("no compiler")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fails, "RuntimeError"),
        (lambda p: p + 1, "something else"),
        (lambda p: p * torch.nan, "else"),
    ],
)
def test_where_joining_fails_the_plain_network_is_used_from_then_on(
    answer: Callable[[Tensor], Tensor], reason: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    compiled, joined = compiled_as(answer, monkeypatch)
    picture = torch.rand(1, 3, 4, 4) - 0.5
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert torch.equal(compiled(picture), picture.relu())
    assert joined.calls == 1
    (told,) = caplog.messages
    assert "network=ReLU" in told and reason in told


def test_one_is_tested_once_and_then_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, joined = compiled_as(torch.relu, monkeypatch)
    plain_calls: list[int] = []
    compiled.plain.register_forward_hook(lambda *_: plain_calls.append(1))
    for _ in range(3):
        compiled(torch.rand(1, 3, 4, 4))
    assert (joined.calls, len(plain_calls)) == (3, 1)


def test_memory_that_runs_out_is_nothing_that_the_plain_network_could_help(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def runs_out(picture: Tensor) -> Tensor:
        raise torch.OutOfMemoryError

    compiled, joined = compiled_as(runs_out, monkeypatch)
    for calls in (1, 2):
        with pytest.raises(torch.OutOfMemoryError):
            compiled(torch.rand(1, 3, 4, 4))
        assert joined.calls == calls
