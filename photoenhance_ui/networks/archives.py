"""The members of a ZIP archive in which nothing is compressed, and where in its file each lies.

``zipfile`` would make an object of every entry that somebody claims, and hand out bytes through two
copies; weights are read into their arrays instead.
"""

import struct
import zlib
from dataclasses import dataclass
from io import SEEK_END, BufferedReader
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.networks.pickles import NotReadable, told

MAX_DIRECTORY_BYTES = 4 << 20  # an entry has some 80
MAX_SMALL_BYTES = 16 << 20

# PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (entry) and 4.3.16 (end record).
LOCAL_MARK, _ENTRY_MARK, _END_MARK = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_LOCAL = struct.Struct("<4s 22x 2H")  # ... lengths of name and extra field
_ENTRY = struct.Struct("<4s 4x 2H 4x 3I 3H 8x I")
_END = struct.Struct("<4s 4x 2H 2I H")
_ENCRYPTED = 1

_SHORTENED = "the file became shorter while it was read"


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes in a row in the file, and their CRC-32, if the file tells it."""

    start: int
    length: int
    crc: int | None = None

    def check(self, content: bytes | memoryview) -> None:
        """Raise NotReadable unless these are its bytes."""
        if self.crc is not None and zlib.crc32(content) != self.crc:
            raise NotReadable("a member of the archive is damaged")


class OpenFile:
    """Reads bytes where something says that they are."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.size = file.seek(0, SEEK_END)

    def fill(self, target: NDArray[np.uint8], start: int) -> None:
        """Fill a row with the bytes from ``start`` on. Raises NotReadable where some lack."""
        self._seek(start, target.nbytes)
        if self._file.readinto(target.data) != target.nbytes:
            raise NotReadable(_SHORTENED)

    def read(self, start: int, length: int) -> bytes:
        """A few of its bytes. Raises NotReadable where some lack."""
        self._seek(start, length)
        content = self._file.read(length)
        if len(content) != length:
            raise NotReadable(_SHORTENED)
        return content

    def _seek(self, start: int, length: int) -> None:
        if not 0 <= start <= start + length <= self.size:
            raise NotReadable("it claims more bytes than the file has")
        self._file.seek(start)

    def unpack(self, layout: struct.Struct, start: int) -> tuple[Any, ...]:
        """The fields that lie at ``start``. Raises NotReadable where some lack."""
        return layout.unpack(self.read(start, layout.size))


@dataclass(frozen=True, slots=True)
class _Member:
    """Where the local header of a member is, how many bytes follow it, and their CRC-32.

    torch writes 0 for the latter after ``set_crc32_options(False)``.
    """

    header_at: int
    length: int
    crc: int


class Archive:
    """The members of an archive by name, none of them compressed."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self.members = dict[bytes, _Member]()
        self._read_directory()

    def _read_directory(self) -> None:
        """The end record has to be the last, as torch writes no comment after it.

        Of more than 65534 members or 4 GiB, its fields say too little and do not fit.
        """
        end_at = self._file.size - _END.size
        mark, here, count, length, start, comment = self._file.unpack(_END, end_at)
        if mark != _END_MARK or comment or here != count or start + length > end_at:
            raise NotReadable("the archive is cut off, or too large")
        if length > MAX_DIRECTORY_BYTES:
            raise NotReadable("the archive has too many members")
        directory, position = self._file.read(start, length), 0
        for _ in range(count):
            position = self._note_entry(directory, position)
        if position != length:
            raise NotReadable("the archive's directory is damaged")

    def _note_entry(self, directory: bytes, position: int) -> int:
        """Note one member, and give where the next entry is."""
        name_at = position + _ENTRY.size
        if name_at > len(directory):
            raise NotReadable("the archive's directory is damaged")
        fields = _ENTRY.unpack_from(directory, position)
        mark, flags, method, crc, packed, length, name_length, extra, comment, header_at = fields
        end = name_at + name_length + extra + comment
        name = directory[name_at : name_at + name_length]
        if mark != _ENTRY_MARK or end > len(directory) or name in self.members:
            raise NotReadable("the archive's directory is damaged")
        if method or packed != length or flags & _ENCRYPTED:
            raise NotReadable("the archive is compressed or encrypted")
        self.members[name] = _Member(header_at, length, crc)
        return end

    def extent(self, name: str) -> Extent:
        """Where a member's bytes are. Raises NotReadable."""
        member = self.members.get(name.encode())
        if member is None:
            raise NotReadable(f"the archive lacks {told(name)}")
        mark, name_length, extra = self._file.unpack(_LOCAL, member.header_at)
        if mark != LOCAL_MARK:
            raise NotReadable("the archive's directory is damaged")
        start = member.header_at + _LOCAL.size + name_length + extra
        if start + member.length > self._file.size:
            raise NotReadable("the archive has less bytes than it claims")
        return Extent(start, member.length, member.crc or None)

    def read(self, name: str) -> bytes:
        """A small member's bytes. Raises NotReadable."""
        extent = self.extent(name)
        if extent.length > MAX_SMALL_BYTES:
            raise NotReadable(f"{told(name)} is too large")
        content = self._file.read(extent.start, extent.length)
        extent.check(content)
        return content

    def folder(self) -> str:
        """The name of the folder in which everything lies. Raises NotReadable."""
        folders = [name.split(b"/")[0] for name in self.members if name.endswith(b"/data.pkl")]
        try:
            (folder,) = folders
            return folder.decode()
        except ValueError as error:  # none, several, or no UTF-8
            raise NotReadable("the archive is none of torch's") from error
