"""Values that are made once, by whoever asks first, while askers of other values do not wait."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Once(Generic[Key, Value]):
    """Values by key, each made once. Thread-safe.

    What fails to be made is tried again by the next who asks.
    """

    def __init__(self) -> None:
        self._made: dict[Key, Value] = {}
        self._making: dict[Key, threading.Lock] = {}

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of ``key``, made now where it never was; raises what ``make`` raises."""
        try:
            return self._made[key]
        except KeyError:
            with self._making.setdefault(key, threading.Lock()):
                if key not in self._made:
                    self._made[key] = make()
                return self._made[key]

    def __contains__(self, key: Key) -> bool:
        return key in self._made

    def values(self) -> list[Value]:
        """All values that are made by now."""
        return list(self._made.values())

    def put(self, key: Key, value: Value) -> None:
        """Take ``value`` for the one of ``key`` from now on."""
        self._made[key] = value

    def drop(self, goes: Callable[[Key], bool]) -> None:
        """Forget the values whose keys ``goes`` names."""
        for key in [key for key in list(self._made) if goes(key)]:
            self._made.pop(key, None)
            self._making.pop(key, None)
