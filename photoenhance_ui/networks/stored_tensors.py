"""Tensors as torch's pickles describe them: where in a file their numbers are.

In a pickle a tensor is a call of ``torch._utils._rebuild_tensor_v2`` with its storage, offset,
shape and strides. Here are the few names that a pickle may refer to, and what is made of each; a
tensor claims at most the numbers that its storage has.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from photoenhance_ui.networks.pickles import Function, NotReadable

MAX_DIMENSIONS = 32  # as NumPy 1 allows
MAX_EMPTY = 2**40  # the product of an empty tensor's other sides; NumPy allows 2**63 bytes
MAX_STORAGE_KEY_CHARACTERS = 64

STORED_TYPES: Mapping[str, tuple[str, str]] = {
    "DoubleStorage": ("float64", "<f8"),
    "FloatStorage": ("float32", "<f4"),
    "HalfStorage": ("float16", "<f2"),
    "BFloat16Storage": ("bfloat16", "<u2"),
    "LongStorage": ("int64", "<i8"),
    "IntStorage": ("int32", "<i4"),
    "ShortStorage": ("int16", "<i2"),
    "CharStorage": ("int8", "i1"),
    "ByteStorage": ("uint8", "u1"),
    "BoolStorage": ("bool", "u1"),
}
"""torch's classes: what their numbers are, and what NumPy reads them as."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Numbers of one type that lie in a row in the file."""

    key: str
    dtype: str
    """The type as torch calls it: ``float16``, ``bfloat16``, ``bool`` and so on."""
    stored: np.dtype[Any]
    """How NumPy reads the bytes."""
    length: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where in the file a tensor's numbers are. Offset and strides count numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def dtype(self) -> str:
        """The type of its numbers, as torch calls it."""
        return self.storage.dtype

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def span(self) -> int:
        """How many numbers of the storage lie between its first and its last, with both."""
        if not self.size:
            return 0
        sides = zip(self.shape, self.strides, strict=True)
        return 1 + sum((side - 1) * stride for side, stride in sides)

    @property
    def stored_bytes(self) -> int:
        """How many bytes have to be read or made for its numbers."""
        return max(self.size, self.span) * self.storage.stored.itemsize

    @property
    def is_contiguous(self) -> bool:
        """Whether its numbers lie in a row, those along its last side beside each other."""
        step = 1
        for side, stride in reversed([*zip(self.shape, self.strides, strict=True)]):
            if side != 1 and stride != step:
                return False
            step *= side
        return True


_UNKNOWN_ARGUMENTS = "a tensor or mapping is made of something unknown"


@dataclass(frozen=True)
class _StorageClass:
    dtype: str
    stored: np.dtype[Any]


def _ordered_dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise NotReadable(_UNKNOWN_ARGUMENTS)
    return {}


def _size(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    match arguments:
        case (tuple(sides),):
            return sides
    raise NotReadable(_UNKNOWN_ARGUMENTS)


def _parameter(arguments: tuple[Any, ...]) -> StoredTensor:
    match arguments:
        case (StoredTensor() as tensor, bool(), dict()):
            return tensor
    raise NotReadable(_UNKNOWN_ARGUMENTS)


def _tensor(arguments: tuple[Any, ...]) -> StoredTensor:
    """Make a tensor of its storage, offset, shape, strides, need of a gradient, and hooks.

    A seventh argument tells that the numbers are to be negated or conjugated, which none of these
    types' are.
    """
    match arguments:
        case (Storage() as storage, int(offset), tuple(shape), tuple(strides), bool(), dict()):
            return _checked_tensor(storage, offset, shape, strides)
    raise NotReadable(_UNKNOWN_ARGUMENTS)


def _checked_tensor(
    storage: Storage, offset: int, shape: tuple[Any, ...], strides: tuple[Any, ...]
) -> StoredTensor:
    if not len(shape) == len(strides) <= MAX_DIMENSIONS:
        raise NotReadable("a tensor has too many sides, or other strides than sides")
    if not all(type(n) is int and 0 <= n < 2**63 for n in (offset, *shape, *strides)):
        raise NotReadable("a tensor's offset, shape or strides are no numbers of 64 bits")
    tensor = StoredTensor(storage, offset, shape, strides)
    end = offset + tensor.span if tensor.size else 0  # torch lets an empty one begin anywhere
    if max(tensor.size, end) > storage.length:
        raise NotReadable("a tensor claims more numbers than its storage has")
    if math.prod(max(side, 1) for side in shape) > max(storage.length, MAX_EMPTY):
        raise NotReadable("an empty tensor has sides that are too long")
    return tensor


KNOWN_NAMES: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): Function(_ordered_dict),
    ("torch", "Size"): Function(_size),
    ("torch._utils", "_rebuild_tensor_v2"): Function(_tensor),
    ("torch._utils", "_rebuild_parameter"): Function(_parameter),
} | {
    ("torch", name): _StorageClass(dtype, np.dtype(stored))
    for name, (dtype, stored) in STORED_TYPES.items()
}


class Storages:
    """The storages that a pickle refers to."""

    def __init__(self) -> None:
        self.by_key: dict[str, Storage] = {}

    def storage(self, reference: Any) -> Storage:
        """Make a storage of ``"storage"``, its class, key, device and number of elements.

        The legacy form adds None, or which part of the storage is meant.
        """
        match reference:
            case ("storage", _StorageClass() as kind, str(key), str(), int(length), *view):
                if view not in ([], [None]):
                    raise NotReadable("a storage is a view of another")
                return self._noted(Storage(key, kind.dtype, kind.stored, length))
        raise NotReadable("a pickle refers to something other than a storage")

    def _noted(self, storage: Storage) -> Storage:
        """The storage, which has to be the same for each reference to its key.

        What torch would make of two different ones is hard to tell.
        """
        if len(storage.key) > MAX_STORAGE_KEY_CHARACTERS or not 0 <= storage.length < 2**63:
            raise NotReadable("a storage has an impossible key or length")
        noted = self.by_key.setdefault(storage.key, storage)
        if noted != storage:
            raise NotReadable("a storage is of two lengths or types")
        return noted
