"""Bounds on the values in a pickle: how deep they lie, and how many they are written out."""

from typing import Any

from photoenhance_ui.networks.pickles import NotReadable

MAX_DEPTH = 50
MAX_EXPANDED = 1 << 24  # VALUE_COST for each value, 1 for each character of text
VALUE_COST = 16


def check_tree(value: Any, leaf: type) -> None:
    """Raise NotReadable unless a value can be walked, compared and printed in bounded time.

    It has to be made of mappings, lists, tuples, texts, numbers, truths, None and ``leaf``, must
    not contain itself, and what it contains several times counts several times.
    """
    if _Tree(leaf).cost_and_height(value, 0)[0] > MAX_EXPANDED:
        raise NotReadable("the same parts occur too many times")


class _Tree:
    """Looks at each part of a value once, however often it occurs."""

    def __init__(self, leaf: type) -> None:
        self._leaves = (leaf, str, int, float, bool, type(None))
        self._seen: dict[int, tuple[int, int] | None] = {}  # None while it is looked at

    def cost_and_height(self, value: Any, depth: int) -> tuple[int, int]:
        if type(value) not in (dict, list, tuple):
            return self._leaf_cost(value), 0
        if id(value) not in self._seen:
            self._seen[id(value)] = None
            self._seen[id(value)] = self._look_inside(value, depth + 1)
        seen = self._seen[id(value)]
        if seen is None:
            raise NotReadable("a value contains itself")
        _check_depth(depth + seen[1])
        return seen

    def _look_inside(self, value: Any, depth: int) -> tuple[int, int]:
        _check_depth(depth)
        cost, height = VALUE_COST, 0
        for part in _parts(value):
            part_cost, part_height = self.cost_and_height(part, depth)
            cost, height = cost + part_cost, max(height, part_height)
        return cost, height + 1

    def _leaf_cost(self, value: Any) -> int:
        if type(value) not in self._leaves:
            raise NotReadable("it holds a value that no weights need")
        if type(value) is int and not -(2**63) <= value < 2**64:
            raise NotReadable("a number has more than 64 bits")
        return VALUE_COST + (len(value) if type(value) is str else 0)


def _parts(value: Any) -> list[Any]:
    """What a mapping, list or tuple holds, with the keys of a mapping."""
    return [*value, *value.values()] if type(value) is dict else [*value]


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotReadable("values lie too deep in one another")
