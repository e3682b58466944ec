"""Torch as a way of computing: 16 bits on a GPU where they are near, and never on a CPU.

The way a GPU takes is run on the CPU, which computes in the same types, only slowly.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn

from photoenhance_ui.catalogue import Role, by_name
from photoenhance_ui.networks.calibration_pictures import crops
from photoenhance_ui.networks.interfaces import Forms
from photoenhance_ui.networks.on_torch.backend import TorchBackend
from photoenhance_ui.networks.on_torch.detectors import TorchDetector
from photoenhance_ui.networks.on_torch.forms import forms_of
from photoenhance_ui.networks.on_torch.parsers import TorchParser
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.restorers import TorchRestorer
from photoenhance_ui.networks.on_torch.upscalers import TorchUpscaler
from photoenhance_ui.networks.parsing import HALF, Parsing
from photoenhance_ui.networks.similarity import is_near, upscaler_psnr_db
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import Upscaler
from photoenhance_ui.request import BUILTIN
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed
from testing.photos import skimage_photo
from tests.networks.random_weights import random_rrdb, random_srvgg, write_span

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = Placement(torch.device("cpu"))
BACKEND = TorchBackend("cpu", fuse=False)
GENERAL, GENERAL_WDN = "realesr-general-x4v3", "realesr-general-wdn-x4v3"


def picture(side: int = 24) -> Pixels:
    return skimage_photo("astronaut", side)[None]


def types_seen(network: Any, *given: Any) -> set[torch.dtype]:
    """Types of what reaches convolutions while the network computes."""
    seen: set[torch.dtype] = set()

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(module, nn.Conv2d):
            seen.add(inputs[0].dtype)

    handle = nn.modules.module.register_module_forward_pre_hook(look)
    try:
        network(*given)
    finally:
        handle.remove()
    return seen


class Doubled(nn.Module):
    """Gives what it takes through one convolution, times a factor, and more beside."""

    def __init__(self, channels: int = 3, factor: float = 1.0) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, channels, 1)
        with torch.no_grad():
            self.layer.weight.zero_()
            for channel in range(min(channels, 3)):
                self.layer.weight[channel, channel] = factor
            self.layer.bias.zero_()

    def forward(self, faces: Tensor, **_: Any) -> tuple[Tensor, list[Tensor]]:
        return self.layer(faces), []


def restorer(factor: float = 1.0) -> TorchRestorer:
    return TorchRestorer("restorer", Doubled(factor=factor), CPU)


def parser(network: nn.Module | None = None) -> TorchParser:
    return TorchParser("parser", network or Doubled(19), CPU, Parsing((1,), HALF, HALF))


@pytest.fixture
def own_networks(tmp_path: Path) -> dict[str, Forms]:
    """One of each kind: the built-in one, a blend, one that folds, one that only torch knows."""
    for name in (GENERAL, GENERAL_WDN):
        save_file(random_srvgg(64, 32, 4, len(name)), tmp_path / f"{name}.safetensors")
    save_file(random_rrdb(1, 2), tmp_path / "folding.safetensors")
    write_span(tmp_path / "span.pth")
    first, second = (
        Installed(name, tmp_path / f"{name}.safetensors", by_name(name))
        for name in (GENERAL, GENERAL_WDN)
    )
    return {
        "builtin": BACKEND.load(Installed(BUILTIN, BUILTIN_FILE), None),
        "blended": BACKEND.load(first, second),
        "folding": BACKEND.load(Installed("folding", tmp_path / "folding.safetensors"), None),
        "span": BACKEND.load(Installed("span", tmp_path / "span.pth"), None),
    }


def test_on_a_cpu_there_is_no_fast_form(own_networks: dict[str, Forms]) -> None:
    faces = (
        forms_of(Role.RESTORER, restorer(), on_gpu=False),
        forms_of(Role.PARSER, parser(), on_gpu=False),
    )
    for forms in (*own_networks.values(), *faces):
        assert forms.fast_form(0.5) is None


@pytest.mark.parametrize("name", ["builtin", "blended", "folding", "span"])
def test_the_fast_form_of_an_upscaler_is_another_one_in_16_bits(
    own_networks: dict[str, Forms], name: str
) -> None:
    exact: Upscaler = own_networks[name].exact
    before = exact(picture(), 0.3)
    fast = own_networks[name].in_fast_form()
    result = fast(picture(), 0.3)
    assert (fast.name, fast.scale, fast.is_blended) == (exact.name, exact.scale, exact.is_blended)
    assert (result.dtype, result.shape) == (before.dtype, before.shape)
    assert is_near(*upscaler_psnr_db(exact, fast, 0.3, crops(1, 1, 24)))
    assert types_seen(fast, picture(), 0.3) == {torch.float16}
    assert types_seen(exact, picture(), 0.3) == {torch.float32}, "the exact one is another now"
    assert np.array_equal(exact(picture(), 0.3), before)


def test_face_networks_are_in_bfloat16_whose_values_do_not_overflow() -> None:
    for role, exact in ((Role.RESTORER, restorer()), (Role.PARSER, parser())):
        before = exact(picture())
        fast = forms_of(role, exact, on_gpu=False).in_fast_form()
        assert fast.name == exact.name
        assert types_seen(fast, picture()) == {torch.bfloat16}
        assert types_seen(exact, picture()) == {torch.float32}
        assert np.array_equal(exact(picture()), before)


def test_a_detector_stays_as_it_is() -> None:
    detector = TorchDetector("detector", Doubled(), CPU)
    assert forms_of(Role.DETECTOR, detector, on_gpu=True).in_fast_form() is detector


def on_gpu(role: Role, network: Any) -> str | None:
    """The form that a GPU would use of a network that lies on the CPU."""
    return forms_of(role, network, on_gpu=True).fast_form(0.5)


def test_on_a_gpu_16_bits_are_used_where_they_are_near(own_networks: dict[str, Forms]) -> None:
    assert on_gpu(Role.UPSCALER, own_networks["builtin"].exact) == "16 bits"
    assert on_gpu(Role.RESTORER, restorer()) == "16 bits"


class Coarse(nn.Module):
    """Loses in 16 bits what it adds and takes away."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3e4))

    def forward(self, images: Tensor) -> Tensor:
        return (images + self.weight) - self.weight


def test_and_not_where_they_are_far() -> None:
    assert on_gpu(Role.UPSCALER, TorchUpscaler("coarse", 1, Coarse(), CPU)) is None


class ByLastDigits(nn.Module):
    """Tells pixels apart by what bfloat16 rounds away."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1000.0))

    def forward(self, faces: Tensor) -> tuple[Tensor]:
        waves = torch.sin(faces[:, :1] * self.weight)
        return (torch.cat([torch.zeros_like(waves), waves, *[waves - 9] * 17], dim=1),)


def test_a_parser_that_sees_other_pixels_in_16_bits_stays_exact() -> None:
    assert on_gpu(Role.PARSER, parser(ByLastDigits())) is None
    assert on_gpu(Role.PARSER, parser()) == "16 bits"


def test_a_network_that_overflows_in_16_bits_stays_exact_and_fails_nothing() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    with torch.no_grad():
        network[0].weight.fill_(1e4)
        network[0].bias.fill_(1e5)  # more than float16 can hold
        network[1].weight.fill_(1e-6)
    assert on_gpu(Role.UPSCALER, TorchUpscaler("large", 1, network, CPU)) is None


def test_a_device_that_cannot_compute_in_16_bits_computes_exactly() -> None:
    class Refuses(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, faces: Tensor, **_: Any) -> tuple[Tensor]:
            if self.weight.dtype != torch.float32:
                raise RuntimeError("not implemented for 'BFloat16'")
            return (faces,)

    exact = TorchRestorer("refusing", Refuses(), CPU)
    assert on_gpu(Role.RESTORER, exact) is None
    faces: NDArray[np.uint8] = exact(picture())
    assert np.array_equal(faces, picture())


def test_nothing_is_assumed_so_all_is_confirmed(own_networks: dict[str, Forms]) -> None:
    assert all(forms.confirm() for forms in own_networks.values())
    BACKEND.stop()
    builtin = own_networks["builtin"]
    builtin.release_memory(builtin.exact)
    assert builtin.exact(picture(), 0.0).any()
