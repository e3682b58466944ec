"""A graph cut at its convolutions, so that pictures go through it from one to the next.

Between two convolutions the values can be looked at, and others can take their place; they are kept
only as long as a later piece uses them. Any graph can be cut, whatever it was made from.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Piece:
    """A convolution, and what is computed between those before it and itself."""

    name: str
    """The convolution's friendly name."""
    kernel: Array
    """The weights, (O, C, h, w)."""
    bias: Array
    """What is added to the convolution's answer, (O,); zeros where nothing is."""
    before: ov.Model
    """Computes the convolution's input, (N, C, H, W), of the values named in ``uses``."""
    uses: tuple[str, ...]
    """The graph's own input, and what convolutions before this one take or give, by their names."""


def cut(graph: ov.Model) -> list[Piece]:
    """The pieces of a graph in order, one for each convolution whose kernel is constant.

    What follows the last one is lost. The graph is taken apart, and of no other use afterwards.
    """
    return [_cut_off(node) for node in graph.get_ordered_ops() if _is_convolution(node)]


class Run:
    """One way of pictures through the pieces; values are let go of once no later piece uses them.

    ``portions`` of pictures, as the graph takes them, are computed one after the other: memory that
    the system hands out anew costs as much time as what is computed in it, and small arrays take
    that of others that were let go of.
    """

    def __init__(self, pieces: Sequence[Piece], portions: Sequence[NDArray[Any]]) -> None:
        self._uses_left = Counter(name for piece in pieces for name in piece.uses)
        self._known = dict.fromkeys(pieces[0].uses, portions)

    def taken(self, piece: Piece, before: ov.InferRequest) -> Sequence[Array]:
        """What reaches the piece's convolution; ``before`` is ``piece.before``, compiled."""
        given = [self._known[name] for name in piece.uses]
        taken = [answer_of(before, portions) for portions in zip(*given, strict=True)]
        self._uses_left.subtract(piece.uses)
        for name in piece.uses:
            if not self._uses_left[name]:
                del self._known[name]
        self._keep(_taken_by(piece.name), taken)
        return taken

    def answer(self, piece: Piece, portions: Sequence[Array]) -> None:
        """Go on with ``portions`` as what the piece's convolution gives, its bias included."""
        self._keep(_given_by(piece.name), portions)

    def _keep(self, name: str, portions: Sequence[Array]) -> None:
        if self._uses_left[name]:
            self._known[name] = portions


def answer_of(model: ov.InferRequest, given: Sequence[NDArray[Any]]) -> Array:
    """A model's first output in an array of its own."""
    answer: Array = model.infer(dict(enumerate(given)), share_inputs=True)[0]
    return answer


def _taken_by(convolution: str) -> str:
    return f"what {convolution} takes"


def _given_by(convolution: str) -> str:
    return f"what {convolution} gives"


def _is_convolution(node: ov.Node) -> bool:
    return node.get_type_name() == "Convolution" and _is_constant(node.input_value(1))


def _is_constant(value: ov.Output) -> bool:
    return bool(value.get_node().get_type_name() == "Constant")


def _cut_off(convolution: ov.Node) -> Piece:
    """Cut a graph at a convolution.

    Later nodes find parameters in the place of its input and of its answer.
    """
    name = convolution.get_friendly_name()
    taken, kernel = convolution.input_value(0), convolution.input_value(1).get_node().data
    answered, bias = _with_bias(convolution.output(0))
    parameters = _parameters_before(taken)
    _stand_in(answered, _given_by(name))
    if taken.get_node().get_type_name() != "Parameter":
        _stand_in(taken, _taken_by(name))
    uses = tuple(parameter.get_friendly_name() for parameter in parameters)
    return Piece(name, kernel, bias, ov.Model([taken], parameters), uses)


def _stand_in(value: ov.Output, name: str) -> None:
    """Have later nodes take a parameter of that name in the place of ``value``."""
    value.replace(op.parameter(value.get_partial_shape(), np.float32, name=name).output(0))


def _with_bias(answer: ov.Output) -> tuple[ov.Output, Array]:
    """What later nodes use of a convolution: with its bias, where one is all that is added."""
    channels = answer.get_partial_shape()[1].get_length()
    (target, *others) = answer.get_target_inputs()
    following = target.get_node()
    if not others and following.get_type_name() == "Add":
        added = following.input_value(1 - target.get_index())
        if _is_constant(added) and list(added.get_shape()) == [1, channels, 1, 1]:
            return following.output(0), added.get_node().data.reshape(-1)
    return answer, np.zeros(channels, np.float32)


def _parameters_before(value: ov.Output) -> list[ov.Node]:
    """The parameters that ``value`` is computed from."""
    found: dict[str, ov.Node] = {}
    waiting, seen = [value.get_node()], set()
    while waiting:
        node = waiting.pop()
        name = node.get_name()
        if name in seen:
            continue
        seen.add(name)
        if node.get_type_name() == "Parameter":
            found[name] = node
        waiting += [given.get_node() for given in node.input_values()]
    return list(found.values())
