"""The plain values in a pickle; nothing that the pickle names is imported, called or run.

The opcodes are those of CPython's ``Lib/pickletools.py``. Those that plain values need
are known here; every other one (``INST``, ``OBJ``, ``NEWOBJ``, ``EXT1`` and so on) is refused. A
name in the pickle is looked up in a table that the caller gives, and stands for what that says.

Whoever made the pickle may mean harm. So what can be asked of time and memory is bounded: opcodes
and bytes by constants, numbers by 64 bits, and tables have no keys that could be chosen so that
looking one up takes long. How deep values lie and how often parts of them occur is bounded in
``trees``, which looks at the finished values once.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_PICKLE_BYTES = 16 << 20  # a network of 700 tensors has 80 kB
MAX_OPCODES = 500_000  # and 25 000 of these
MAX_NUMBERED_KEYS = 4096  # in one mapping; numbers can be chosen so that they collide, text cannot
MAX_KEY_CHARACTERS = 1000  # equal texts that are not the same are compared one by one
MAX_TOLD_CHARACTERS = 60  # of what a file says, in what is said of it
HIGHEST_PROTOCOL = 5


class NotReadable(ValueError):
    """The file is damaged, means harm, or holds what is not read; the message tells which."""


@dataclass(frozen=True)
class Function:
    """Stands for what a pickle may call by name: what is made of the arguments instead."""

    build: Callable[[tuple[Any, ...]], Any]


@dataclass(frozen=True)
class Names:
    """What a pickle may refer to: by module and name, and by a persistent id."""

    known: Mapping[tuple[str, str], Any]
    persistent: Callable[[Any], Any]


def refuse_persistent(_: Any) -> NoReturn:
    """Refuse a persistent id, in pickles that may refer to nothing outside themselves."""
    raise NotReadable("a pickle refers to something outside it")


PLAIN = Names({}, refuse_persistent)


def unpickled(data: bytes, names: Names = PLAIN, start: int = 0) -> tuple[Any, int]:
    """The value of the pickle that begins at ``start``, and where the pickle ends.

    The value may contain itself or the same part many times over, and whatever ``names`` made;
    see ``trees``. Raises NotReadable.
    """
    machine = _Machine(data, names, start)
    return machine.run(), machine.position


class _Machine:
    """A pickle's stack and memo, and how far it is read."""

    def __init__(self, data: bytes, names: Names, start: int) -> None:
        self.data, self.names, self.position = data, names, start
        self.stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self._memo: list[Any] = []

    def run(self) -> Any:
        for _ in range(MAX_OPCODES):
            opcode = self.take(1)
            if opcode == b".":  # STOP
                return self.pop()
            step = _STEPS.get(opcode)
            if step is None:
                raise NotReadable(f"a pickle has the opcode {opcode!r}, which no values need")
            step(self)
        raise NotReadable(f"a pickle has more than {MAX_OPCODES} opcodes")

    def take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self.data):
            raise NotReadable("a pickle ends too early, or is too large")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def line(self) -> str:
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise NotReadable("a pickle ends too early, or is too large")
        text = decoded(self.take(end - self.position))
        self.position += 1
        return text

    def pop(self) -> Any:
        if not self.stack:
            raise NotReadable("a pickle takes what is not there")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        """What lies on top and stays there. It has to be of this kind."""
        if not self.stack or type(self.stack[-1]) is not kind:
            raise NotReadable(f"a pickle uses something else as a {kind.__name__}")
        return self.stack[-1]

    def mark(self) -> None:
        self._outer.append(self.stack)
        self.stack = []

    def pop_to_mark(self) -> list[Any]:
        if not self._outer:
            raise NotReadable("a pickle takes what is not there")
        taken, self.stack = self.stack, self._outer.pop()
        return taken

    def enclose(self) -> None:
        values = self.pop_to_mark()
        self.stack.append(tuple(values))

    def pop_many(self, count: int) -> tuple[Any, ...]:
        return tuple(reversed([self.pop() for _ in range(count)]))

    def remember(self, index: int) -> None:
        """Put what lies on top into the memo.

        Picklers count the memo from 0 on, so that a larger index is made up.
        """
        if not self.stack or index > len(self._memo):
            raise NotReadable("a pickle remembers what is not there")
        self._memo[index : index + 1] = self.stack[-1:]

    def memoize(self) -> None:
        self.remember(len(self._memo))

    def recall(self, index: int) -> None:
        if index >= len(self._memo):
            raise NotReadable("a pickle recalls what is not there")
        self.stack.append(self._memo[index])

    def name(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise NotReadable("a pickle names something by what is no text")
        if (module, name) not in self.names.known:
            raise NotReadable(f"it names {told(f'{module}.{name}')}, which no weights need")
        self.stack.append(self.names.known[module, name])

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not (isinstance(function, Function) and isinstance(arguments, tuple)):
            raise NotReadable("a pickle calls what cannot be called")
        self.stack.append(function.build(arguments))

    def refer(self) -> None:
        self.stack.append(self.names.persistent(self.pop()))

    def ignore_state(self) -> None:
        """Drop an OrderedDict's attributes, such as the ``_metadata`` of a network's."""
        if type(self.pop()) is not dict:
            raise NotReadable("a pickle sets the state of an object")
        self.top(dict)

    def append(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def put(self, items: Sequence[Any]) -> None:
        if len(items) % 2:
            raise NotReadable("a pickle has a key without a value")
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            put(target, key, value)


def put(target: dict[Any, Any], key: Any, value: Any) -> None:
    """Put one value into a mapping. Raises NotReadable where its key could take long to find."""
    match key:
        case str() if len(key) <= MAX_KEY_CHARACTERS:
            target[key] = value
        case int() if len(target) < MAX_NUMBERED_KEYS:
            target[key] = value
        case _:
            raise NotReadable("a mapping has keys other than short texts and a few numbers")


def decoded(text: bytes) -> str:
    """UTF-8 as text. Raises NotReadable."""
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise NotReadable("a text is no UTF-8") from error


def told(text: str) -> str:
    """What a file says, so that it can be shown: short, and in printable ASCII."""
    return ascii(text[:MAX_TOLD_CHARACTERS])


_Step = Callable[[_Machine], object]


def _unpacked(machine: _Machine, layout: struct.Struct) -> Any:
    (number,) = layout.unpack(machine.take(layout.size))
    return number


def _number(layout: str) -> _Step:
    packed = struct.Struct(layout)
    return lambda machine: machine.stack.append(_unpacked(machine, packed))


def _remember(layout: str) -> _Step:
    packed = struct.Struct(layout)
    return lambda machine: machine.remember(_unpacked(machine, packed))


def _recall(layout: str) -> _Step:
    packed = struct.Struct(layout)
    return lambda machine: machine.recall(_unpacked(machine, packed))


def _text(layout: str) -> _Step:
    """A step that reads text after its length in bytes."""
    packed = struct.Struct(layout)
    return lambda m: m.stack.append(decoded(m.take(_unpacked(m, packed))))


def _constant(value: bool | tuple[()] | None) -> _Step:
    return lambda machine: machine.stack.append(value)


def _tuple(length: int) -> _Step:
    return lambda machine: machine.stack.append(machine.pop_many(length))


def _long_number(machine: _Machine) -> None:
    length = machine.take(1)[0]
    # The magic number of torch's files has 10 bytes; no value needs more than 8.
    if length > 10:
        raise NotReadable("a number has more than 64 bits")
    machine.stack.append(int.from_bytes(machine.take(length), "little", signed=True))


def _protocol(machine: _Machine) -> None:
    if machine.take(1)[0] > HIGHEST_PROTOCOL:
        raise NotReadable("a pickle is of an unknown protocol")


_STEPS: Mapping[bytes, _Step] = {
    b"\x80": _protocol,  # PROTO
    b"\x95": lambda m: m.take(8),  # FRAME, a hint for reading ahead
    b"(": _Machine.mark,  # MARK
    b"N": _constant(None),  # NONE
    b"\x88": _constant(True),  # NEWTRUE
    b"\x89": _constant(False),  # NEWFALSE
    b"J": _number("<i"),  # BININT
    b"K": _number("<B"),  # BININT1
    b"M": _number("<H"),  # BININT2
    b"\x8a": _long_number,  # LONG1
    b"G": _number(">d"),  # BINFLOAT
    b"X": _text("<I"),  # BINUNICODE
    b"\x8c": _text("<B"),  # SHORT_BINUNICODE
    b"}": lambda m: m.stack.append({}),  # EMPTY_DICT
    b"]": lambda m: m.stack.append([]),  # EMPTY_LIST
    b")": _constant(()),  # EMPTY_TUPLE
    b"t": _Machine.enclose,  # TUPLE
    b"\x85": _tuple(1),  # TUPLE1
    b"\x86": _tuple(2),  # TUPLE2
    b"\x87": _tuple(3),  # TUPLE3
    b"a": lambda m: m.append([m.pop()]),  # APPEND
    b"e": lambda m: m.append(m.pop_to_mark()),  # APPENDS
    b"s": lambda m: m.put(m.pop_many(2)),  # SETITEM
    b"u": lambda m: m.put(m.pop_to_mark()),  # SETITEMS
    b"q": _remember("<B"),  # BINPUT
    b"r": _remember("<I"),  # LONG_BINPUT
    b"\x94": _Machine.memoize,  # MEMOIZE
    b"h": _recall("<B"),  # BINGET
    b"j": _recall("<I"),  # LONG_BINGET
    b"c": lambda m: m.name(m.line(), m.line()),  # GLOBAL
    b"\x93": lambda m: m.name(*m.pop_many(2)),  # STACK_GLOBAL
    b"R": _Machine.call,  # REDUCE
    b"b": _Machine.ignore_state,  # BUILD
    b"Q": _Machine.refer,  # BINPERSID
}
