"""torch's ``.pth`` files -> NumPy arrays, without torch, and with nothing run that a file names.

Both forms are read that ``torch.save`` writes (``torch/serialization.py``, ``_save`` and
``_legacy_save``). Since torch 1.6 a file is a ZIP archive of members that are not compressed:
``<name>/data.pkl`` is the pickle of what was saved, ``<name>/data/<key>`` the bytes of each
storage. Before, it was a row of pickles: a magic number, the version of the protocol, facts of the
machine, what was saved, and the keys of the storages; then, in the order of the keys, each storage
as its number of elements and its bytes. What a tensor is in either pickle: ``stored_tensors``.

A file is trusted with nothing. The pickle becomes plain values (see ``pickles``); a tensor claims
at most the numbers that its storage has, a storage at most the bytes that the file has, and
tensors that are read together at most MAX_SHARING times the file. Refused are also the tar
form before torch 0.1.10, numbers of big-endian machines, storages that are views of others,
archives of 4 GiB and more, tensors that repeat numbers (as ``Tensor.expand`` does), numbers that
are complex, quantized or of 8-bit floats, and whatever else no weights need.
"""

import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.networks.archives import LOCAL_MARK, Archive, Extent, OpenFile
from photoenhance_ui.networks.pickles import MAX_PICKLE_BYTES, Names, NotReadable, unpickled
from photoenhance_ui.networks.stored_tensors import (
    KNOWN_NAMES,
    Storage,
    Storages,
    StoredTensor,
)
from photoenhance_ui.networks.trees import check_tree

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_SHARING = 4  # tied weights lie in a file once
ARRAY_BYTES = 100  # of an array without numbers; what says in a file where they are takes more

Locate = Callable[[Storage], Extent]


class Pth:
    """An open file: the values that were saved, and the arrays that any part of them stands for."""

    def __init__(self, file: OpenFile, tree: Any, locate: Locate) -> None:
        self._file, self._locate = file, locate
        self.tree = tree
        """The values, with a StoredTensor for each tensor: dict (with keys of str and int), list,
        tuple, str, int, float, bool and None. It contains itself nowhere and is small enough to be
        walked, compared and printed."""

    def arrays(self, part: Any) -> Any:
        """A part of the tree, or the whole, with an array for each tensor.

        Each array owns its numbers and can be written to. A tensor that occurs several times is one
        array; tensors that share numbers in torch do not here. float16 stays so, bfloat16 becomes
        float32. Raises NotReadable, also where the tensors are more than MAX_SHARING files.
        """
        with _memory_told():
            return _Reading(self._file, self._locate).values(part)


@contextmanager
def open_pth(path: Path) -> Iterator[Pth]:
    """Open a file as ``torch.save`` writes it; no tensor's numbers are read yet.

    Raises NotReadable where it is something else, and OSError where it cannot be opened or read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotReadable("it is no file")
    with path.open("rb") as opened:
        file = OpenFile(opened)
        with _memory_told():
            pth = _opened(file)
        yield pth


def read_pth(path: Path, choose: Callable[[Any], Any] = lambda tree: tree) -> Any:
    """What was saved, or the part of it that ``choose`` picks, with arrays for tensors.

    See ``Pth``. Raises NotReadable and OSError.
    """
    with open_pth(path) as pth:
        return pth.arrays(choose(pth.tree))


@contextmanager
def _memory_told() -> Iterator[None]:
    """Read inside; NotReadable where what a file claims does not fit into memory."""
    try:
        yield
    except MemoryError as error:
        raise NotReadable("it needs more memory than there is") from error


def _opened(file: OpenFile) -> Pth:
    if file.read(0, min(file.size, 4)) == LOCAL_MARK:
        return _opened_archive(file)
    return _opened_legacy(file)


def _opened_archive(file: OpenFile) -> Pth:
    archive, storages = Archive(file), Storages()
    folder = archive.folder()
    order = f"{folder}/byteorder"  # since torch 2.1
    if order.encode() in archive.members and archive.read(order) != b"little":
        raise NotReadable("its numbers are those of a big-endian machine")
    tree, _ = unpickled(archive.read(f"{folder}/data.pkl"), Names(KNOWN_NAMES, storages.storage))
    check_tree(tree, StoredTensor)
    return Pth(file, tree, lambda storage: archive.extent(f"{folder}/data/{storage.key}"))


# The form before torch 1.6.

_COUNT = struct.Struct("<q")


def _opened_legacy(file: OpenFile) -> Pth:
    head, storages = file.read(0, min(file.size, MAX_PICKLE_BYTES)), Storages()
    position = _legacy_start(head)
    tree, position = unpickled(head, Names(KNOWN_NAMES, storages.storage), position)
    check_tree(tree, StoredTensor)
    keys, position = unpickled(head, start=position)
    extents = _legacy_extents(file, _keyed(keys, storages.by_key), position)
    return Pth(file, tree, lambda storage: extents[storage.key])


def _legacy_start(head: bytes) -> int:
    """Where the pickle of what was saved begins. Raises NotReadable."""
    try:
        magic, position = unpickled(head)
    except NotReadable as error:
        raise NotReadable("it is no file of torch's") from error
    if type(magic) is not int or magic != LEGACY_MAGIC:
        raise NotReadable("it is no file of torch's")
    protocol, position = unpickled(head, start=position)
    if type(protocol) is not int or protocol != LEGACY_PROTOCOL:
        raise NotReadable("it is of an unknown version")
    machine, position = unpickled(head, start=position)
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise NotReadable("its numbers are those of a big-endian machine")
    return position


def _keyed(keys: Any, by_key: Mapping[str, Storage]) -> list[Storage]:
    """The storages in the order of their keys, each of which there has to be once."""
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise NotReadable("the keys of its storages are no texts")
    if len(keys) != len(by_key) or set(keys) != by_key.keys():
        raise NotReadable("it has other storages than it refers to")
    return [by_key[key] for key in keys]


def _legacy_extents(file: OpenFile, storages: list[Storage], position: int) -> dict[str, Extent]:
    """Where the storages' bytes are: one after the other, each after its number of elements."""
    extents = {}
    for storage in storages:
        if file.unpack(_COUNT, position) != (storage.length,):
            raise NotReadable("a storage has another length than it is said to have")
        start = position + _COUNT.size
        extent = Extent(start, storage.length * storage.stored.itemsize)
        extents[storage.key] = extent
        position = extent.start + extent.length
    if position > file.size:
        raise NotReadable("the file is cut off")
    return extents


# The arrays.


class _Reading:
    """Reads tensors until they are too many for the file they are said to lie in."""

    def __init__(self, file: OpenFile, locate: Locate) -> None:
        self._file, self._locate = file, locate
        self._bytes_left = MAX_SHARING * file.size
        self._read: dict[int, NDArray[Any]] = {}

    def values(self, part: Any) -> Any:
        """The part of a tree with an array for each tensor. It is as deep as a tree may be."""
        match part:
            case dict():
                return {key: self.values(value) for key, value in part.items()}
            case list():
                return [self.values(value) for value in part]
            case tuple():
                return tuple(self.values(value) for value in part)
            case StoredTensor():
                if id(part) not in self._read:  # the tree keeps it alive
                    self._read[id(part)] = self._array(part)
                return self._read[id(part)]
        return part

    def _array(self, tensor: StoredTensor) -> NDArray[Any]:
        self._bytes_left -= ARRAY_BYTES + tensor.stored_bytes
        if self._bytes_left < 0:
            raise NotReadable("the tensors share more numbers than tied weights do")
        return _as_told(self._numbers(tensor), tensor.dtype)

    def _numbers(self, tensor: StoredTensor) -> NDArray[Any]:
        """Its numbers as they are stored, in a row."""
        stored = tensor.storage.stored
        if not tensor.size:
            return np.empty(tensor.shape, stored)
        extent = self._locate(tensor.storage)
        if tensor.storage.length * stored.itemsize > extent.length:
            raise NotReadable("a storage is longer than its bytes in the file")
        if tensor.is_contiguous:
            numbers = np.empty(tensor.shape, stored)
            self._fill(numbers.reshape(-1), tensor.offset, extent)
            return numbers
        row = np.empty(tensor.span, stored)
        self._fill(row, tensor.offset, extent)
        return np.ndarray(tensor.shape, stored, row, strides=_byte_strides(tensor)).copy()

    def _fill(self, row: NDArray[Any], offset: int, extent: Extent) -> None:
        content = row.view(np.uint8)
        self._file.fill(content, extent.start + offset * row.itemsize)
        if content.nbytes == extent.length:
            extent.check(content.data)


def _byte_strides(tensor: StoredTensor) -> tuple[int, ...]:
    """Strides in bytes. That of a side of one number can be anything, and is 0 here."""
    size = tensor.storage.stored.itemsize
    sides = zip(tensor.shape, tensor.strides, strict=True)
    return tuple(stride * size if side > 1 else 0 for side, stride in sides)


def _as_told(numbers: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Stored numbers as those that they stand for; bfloat16 is the upper half of a float32."""
    match dtype:
        case "bool":
            return np.not_equal(numbers, 0, out=np.empty(numbers.shape, np.bool_))
        case "bfloat16":
            widened = np.empty(numbers.shape, np.float32)
            np.left_shift(numbers, 16, out=widened.view(np.uint32), dtype=np.uint32)
            return widened
    return numbers
