"""Where networks run, and what a device's errors become."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from photoenhance_ui.errors import (
    InvalidSetting,
    MemoryExhausted,
    NetworkFailed,
    NetworkMissing,
    PhotoEnhanceError,
    WeightsDamaged,
)
from photoenhance_ui.networks.on_torch.placement import (
    Placement,
    dtype_of,
    errors_told,
    find_device,
    name_of,
)
from photoenhance_ui.request import Precision

CPU = torch.device("cpu")
FAR_TOO_MANY_BYTES = 2**58


def test_auto_takes_the_fastest_device_that_is_there() -> None:
    if torch.cuda.is_available():
        best = "cuda"
    else:
        best = "mps" if torch.backends.mps.is_available() else "cpu"
    assert find_device("auto").type == best


def test_a_cpu_is_always_there() -> None:
    assert find_device("cpu") == CPU


@pytest.mark.parametrize(
    ("wanted", "is_there"),
    [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())],
)
def test_a_device_that_is_asked_for_is_taken_or_refused_but_never_replaced(
    wanted: str, is_there: bool
) -> None:
    if is_there:
        assert find_device(wanted).type == wanted
        return
    with pytest.raises(InvalidSetting, match=f"no {wanted} device"):
        find_device(wanted)


def test_a_person_reads_what_the_device_is() -> None:
    assert name_of(CPU) == f"CPU ({torch.get_num_threads()} threads)"
    assert name_of(torch.device("mps")) == "Apple GPU"


def test_a_precision_means_a_type() -> None:
    assert dtype_of(Precision.EXACT.value) == torch.float32
    assert dtype_of(Precision.FAST.value) == torch.float16


def test_a_settled_network_neither_learns_nor_changes() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.9))
    settled = Placement(CPU, torch.float16).settle(network.train())
    assert not any(module.training for module in settled.modules())
    assert {(p.dtype, p.requires_grad) for p in settled.parameters()} == {(torch.float16, False)}
    given = torch.rand(1, 3, 4, 4).half()
    assert torch.equal(settled(given), settled(given))


def torch_asks_for_too_much() -> None:
    torch.empty(FAR_TOO_MANY_BYTES, dtype=torch.uint8)


def numpy_asks_for_too_much() -> None:
    np.empty(FAR_TOO_MANY_BYTES, np.uint8)


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "work",
    [
        torch_asks_for_too_much,
        numpy_asks_for_too_much,
        raising(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")),
        raising(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)")),
        raising(RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")),
        raising(RuntimeError("Check 'ptr' failed:\nFailed to allocate 67108864 bytes of memory")),
        raising(MemoryError()),
    ],
    ids=["torch", "numpy", "cuda", "mps", "windows", "openvino", "python"],
)
def test_every_kind_of_full_memory_is_one_error(work: Callable[[], None]) -> None:
    with pytest.raises(MemoryExhausted, match="--tile-px") as caught, errors_told("any"):
        work()
    assert caught.value.__cause__ is not None


def a_wrong_number_of_channels() -> None:
    nn.Conv2d(3, 3, 1)(torch.ones(1, 4, 8, 8))


@pytest.mark.parametrize(
    ("work", "kind"),
    [
        (a_wrong_number_of_channels, "RuntimeError"),
        (raising(ValueError("/home/me/photo.png")), "ValueError"),
        (raising(KeyError("x")), "KeyError"),
        (raising(OSError(5, "Input/output error")), "OSError"),
    ],
)
def test_another_foreign_error_names_the_network_and_hides_the_rest(
    work: Callable[[], None], kind: str
) -> None:
    with pytest.raises(NetworkFailed) as caught, errors_told("some-name"):
        work()
    assert "some-name" in caught.value.sentence
    assert kind in caught.value.sentence
    assert "/home/me" not in caught.value.sentence


@pytest.mark.parametrize(
    "error", [NetworkFailed("a"), MemoryExhausted("b"), NetworkMissing("c"), WeightsDamaged("d")]
)
def test_our_own_errors_pass_as_they_are(error: PhotoEnhanceError) -> None:
    with pytest.raises(type(error)) as caught, errors_told("any"):
        raise error
    assert caught.value is error


def test_a_person_who_stops_the_program_is_obeyed() -> None:
    with pytest.raises(KeyboardInterrupt), errors_told("any"):
        raise KeyboardInterrupt


def test_nothing_is_kept_for_learning_inside() -> None:
    weight = torch.ones(1, requires_grad=True)
    with errors_told("any"):
        assert torch.is_inference_mode_enabled()
        assert not (weight * 2).requires_grad
    assert not torch.is_inference_mode_enabled()
