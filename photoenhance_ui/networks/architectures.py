"""Tables of architectures: how a room looks up what it builds of a file."""

from collections.abc import Mapping
from typing import TypeVar

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.errors import ArchitectureUnknown

Entry = TypeVar("Entry")


def entry_of(table: Mapping[Architecture, Entry], architecture: Architecture | None) -> Entry:
    """The table's entry of an architecture; ``None`` stands for one that nobody recognised.

    Raises ArchitectureUnknown where there is no entry.
    """
    if architecture is None or architecture not in table:
        name = "the file's architecture" if architecture is None else architecture.value
        raise ArchitectureUnknown(
            f"Nothing here builds networks of {name}. Choose another network, or auto."
        )
    return table[architecture]
