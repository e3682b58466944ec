"""What can be chosen, told once: a dataclass field with its meaning, its bounds and its default.

From the fields of ``Request`` and ``Settings`` every door makes what it shows: the page its
components, the API its parameters, the command line its flags, the journal its record and the
README its tables. To add an option is to add a field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, get_origin, get_type_hints

_OPTION = "option"
"""Where a field holds its Option, but for the name and the kind, which the class tells."""
_Fields = TypeVar("_Fields")


@dataclass(frozen=True)
class Option:
    """One field as the doors show it."""

    name: str
    default: Any
    kind: type
    meaning: str
    choices: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    step: float | None = None
    page_only: bool = False
    """True where the command line has no use for it."""
    fallback: str = ""
    """A variable of another program that counts where nothing else is given."""

    @property
    def flag(self) -> str:
        """``--weights-dir`` for ``weights_dir``."""
        return "--" + self.name.replace("_", "-")

    @property
    def metavar(self) -> str:
        """``DIR`` for ``weights_dir``: what stands for the value in a program's help."""
        return self.name.rsplit("_", 1)[-1].upper()

    @property
    def variable(self) -> str:
        """``PHOTOENHANCE_WEIGHTS_DIR`` for ``weights_dir``."""
        return "PHOTOENHANCE_" + self.name.upper()


def option_field(
    default: Any,
    meaning: str,
    *,
    choices: tuple[str, ...] = (),
    lowest: float | None = None,
    highest: float | None = None,
    step: float | None = None,
    page_only: bool = False,
    fallback: str = "",
) -> Any:
    """A dataclass field that can be chosen; the choices of a ``StrEnum`` are its members."""
    told = Option("", default, object, meaning, choices, lowest, highest, step, page_only, fallback)
    return field(default=default, metadata={_OPTION: told})


@cache
def options_of(kind: type) -> tuple[Option, ...]:
    """The options of a dataclass, in order; those of a dataclass among its fields are its own."""
    return tuple(_options_of(kind))


def _options_of(kind: type) -> Iterator[Option]:
    hints = get_type_hints(kind)
    for one in fields(kind):
        hint = hints[one.name]
        if _OPTION not in one.metadata:
            yield from _options_of(hint)
            continue
        plain: type = get_origin(hint) or hint
        told: Option = one.metadata[_OPTION]
        named = tuple(plain) if issubclass(plain, StrEnum) else ()
        yield replace(told, name=one.name, kind=plain, choices=told.choices or named)


def flat(value: Any) -> dict[str, Any]:
    """The values of a dataclass by the names of its options: as the doors know them."""
    values: dict[str, Any] = {}
    for one in fields(value):
        content = getattr(value, one.name)
        values |= flat(content) if is_dataclass(content) else {one.name: content}
    return values


def built(kind: type[_Fields], values: Mapping[str, Any]) -> _Fields:
    """The dataclass with these values by the names of its options; others keep their default."""
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    for one in fields(kind):  # type: ignore[arg-type]
        if _OPTION not in one.metadata:
            given[one.name] = built(hints[one.name], values)
        elif one.name in values:
            given[one.name] = values[one.name]
    return kind(**given)
