"""Files of torch, written opcode by opcode: no torch is needed, and they may mean harm."""

import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np

CALL, STOP = b"R", b"."


# Pickles, opcode by opcode.


def number(value: int) -> bytes:
    content = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(module: str, what: str) -> bytes:
    return f"c{module}\n{what}\n".encode()


def many(*values: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(values) + b"t"


def mapping(*items: bytes) -> bytes:
    return b"}(" + b"".join(items) + b"u"


def numbers(*values: int) -> bytes:
    return many(*(number(value) for value in values))


ORDERED_DICT = name("collections", "OrderedDict") + b")" + CALL


def storage(
    key: bytes = text("0"),
    length: bytes = number(4),
    kind: str = "FloatStorage",
    mark: str = "storage",
    view: bytes = b"",
) -> bytes:
    return many(text(mark), name("torch", kind), key, text("cpu"), length, view) + b"Q"


def tensor(
    shape: bytes = numbers(4),
    strides: bytes = numbers(1),
    offset: bytes = number(0),
    of: bytes | None = None,
    more: bytes = b"",
) -> bytes:
    parts = (of or storage(), offset, shape, strides, b"\x89", ORDERED_DICT, more)
    return name("torch._utils", "_rebuild_tensor_v2") + many(*parts) + CALL


FOUR = np.arange(4, dtype=np.float32).tobytes()
PROTOCOL_2 = b"\x80\x02"


def written_archive(
    path: Path, value: bytes, storages: dict[str, bytes] | None = None, order: bytes = b"little"
) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("network/data.pkl", PROTOCOL_2 + value + STOP)
        archive.writestr("network/byteorder", order)
        for key, content in (storages or {"0": FOUR}).items():
            archive.writestr(f"network/data/{key}", content)
    return path


def written_legacy(
    path: Path, value: bytes, storages: dict[str, bytes] | None = None, little: bool = True
) -> Path:
    storages = {"0": FOUR} if storages is None else storages
    heads = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": little})
    path.write_bytes(
        b"".join(pickle.dumps(head, 2) for head in heads)
        + (PROTOCOL_2 + value + STOP)
        + pickle.dumps([*storages], 2)
        + b"".join(struct.pack("<q", len(c) // 4) + c for c in storages.values())
    )
    return path
