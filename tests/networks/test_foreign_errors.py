"""Errors of networks' libraries become ours: full memory is one error, the rest another."""

import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from photoenhance_ui.errors import (
    EngineStopped,
    MemoryExhausted,
    NetworkFailed,
    NetworkMissing,
    PhotoEnhanceError,
    WeightsDamaged,
)
from photoenhance_ui.networks.foreign_errors import errors_told

FAR_TOO_MANY_BYTES = 2**58


def torch_asks_for_too_much() -> None:
    torch = pytest.importorskip("torch")
    torch.empty(FAR_TOO_MANY_BYTES, dtype=torch.uint8)


def a_gpu_is_full() -> None:
    raise pytest.importorskip("torch").OutOfMemoryError("Tried to allocate 2 GiB")


def numpy_asks_for_too_much() -> None:
    np.empty(FAR_TOO_MANY_BYTES, np.uint8)


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "work",
    [
        torch_asks_for_too_much,
        a_gpu_is_full,
        numpy_asks_for_too_much,
        raising(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)")),
        raising(RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")),
        raising(RuntimeError("Check 'ptr' failed:\nFailed to allocate 67108864 bytes of memory")),
        raising(MemoryError()),
    ],
    ids=["torch", "cuda", "numpy", "mps", "windows", "openvino", "python"],
)
def test_every_kind_of_full_memory_is_one_error(work: Callable[[], None]) -> None:
    with pytest.raises(MemoryExhausted, match="--tile-px") as caught, errors_told("any"):
        work()
    assert caught.value.__cause__ is not None


def a_wrong_number_of_channels() -> None:
    torch = pytest.importorskip("torch")
    torch.nn.Conv2d(3, 3, 1)(torch.ones(1, 4, 8, 8))


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


@pytest.mark.parametrize("torch", [None, ModuleType("torch")], ids=["not at all", "half"])
def test_errors_are_told_where_torch_is_not_imported(
    torch: ModuleType | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch)  # type: ignore[arg-type]
    with pytest.raises(NetworkFailed), errors_told("any"):
        raise ValueError("any")
    with pytest.raises(MemoryExhausted), errors_told("any"):
        raise MemoryError


@pytest.mark.parametrize(
    "error",
    [
        NetworkFailed("a"), MemoryExhausted("b"), NetworkMissing("c"), WeightsDamaged("d"),
        EngineStopped("e"),
    ],
)  # fmt: skip
def test_our_own_errors_pass_as_they_are(error: PhotoEnhanceError) -> None:
    with pytest.raises(type(error)) as caught, errors_told("any"):
        raise error
    assert caught.value is error


def test_a_person_who_stops_the_program_is_obeyed() -> None:
    with pytest.raises(KeyboardInterrupt), errors_told("any"):
        raise KeyboardInterrupt
