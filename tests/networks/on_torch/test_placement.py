"""Where torch keeps networks: settled there for inference, and as fast as the device likes."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from photoenhance_ui.networks.on_torch.placement import Placement, gpus, name_of_cuda
from photoenhance_ui.networks.on_torch.torch_compile import TorchCompiled

CPU = Placement(torch.device("cpu"))


def test_a_settled_network_neither_learns_nor_changes() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.9))
    settled = CPU.in_type(torch.float16).settle(network.train())
    assert not any(module.training for module in settled.modules())
    assert {(p.dtype, p.requires_grad) for p in settled.parameters()} == {(torch.float16, False)}
    given = torch.rand(1, 3, 4, 4).half()
    assert torch.equal(settled(given), settled(given))


def test_the_same_place_in_another_type_is_the_same_but_for_it() -> None:
    there = Placement(torch.device("cpu"), torch.float32, fuse=True)
    half = there.in_type(torch.float16)
    assert half == Placement(torch.device("cpu"), torch.float16, fuse=True)
    assert there.dtype == torch.float32


def test_operations_are_joined_where_that_is_asked_for() -> None:
    assert not isinstance(CPU.settle(nn.ReLU()), TorchCompiled)
    assert isinstance(Placement(torch.device("cpu"), fuse=True).settle(nn.ReLU()), TorchCompiled)


def test_a_gpu_has_a_pixels_channels_together() -> None:
    assert CPU.layout == torch.contiguous_format
    assert Placement(torch.device("cuda")).layout == torch.channels_last


def test_gpus_are_those_that_torch_can_use_the_fastest_kind_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cuda, mps, expected in (
        (True, True, ("cuda", "mps")), (True, False, ("cuda",)), (False, True, ("mps",)),
        (False, False, ()),
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        assert gpus() == expected


def test_a_cuda_device_is_called_as_its_maker_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100")
    assert name_of_cuda() == "NVIDIA H100"
