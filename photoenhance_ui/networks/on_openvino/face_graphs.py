"""Graphs of face restorers and parsers: any architecture between whole levels.

Faces are (N, 512, 512, 3) whole levels.
"""

from collections.abc import Callable

import numpy as np
import openvino as ov
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.layers import Depth, moved
from photoenhance_ui.networks.on_openvino.levels import (
    levels_of_values,
    picture_of_levels,
    total_of,
)
from photoenhance_ui.networks.parsing import CLASSES
from photoenhance_ui.pipeline.contracts import FACE_PX


def restorer_graph(network: Callable[[ov.Output], ov.Output], depth: Depth) -> ov.Model:
    """A restorer of pictures (N, 3, H, W) in 0..1 that gives -1..1: levels, and a total."""
    levels, picture = picture_of_levels(depth)
    values = network(picture)
    shown = op.multiply(op.add(values, np.float32(1)), np.float32(0.5)).output(0)
    restored = moved(levels_of_values(shown, depth), (0, 2, 3, 1))
    return ov.Model([restored, total_of(values)], [levels])


def parser_graph(
    network: Callable[[ov.Output], ov.Output],
    face_classes: tuple[int, ...],
    depth: Depth,
    reduced: int,
) -> ov.Model:
    """A parser that makes scores (N, classes, H, W) of a picture (N, 3, H, W) in 0..1, as a mask.

    The mask is 255 where the best class is one of the face. With ``reduced`` the network looks at
    the face made so many times smaller, and each pixel of its mask is repeated.
    """
    levels, picture = picture_of_levels(depth)
    step = [reduced, reduced]
    seen = op.avg_pool(picture, step, [0, 0], [0, 0], step, True).output(0)
    scores = network(seen if reduced > 1 else picture)
    best = op.topk(scores, np.int32(1), 1, "max", "none").output(1)
    is_face = np.zeros(CLASSES, np.uint8)
    is_face[list(face_classes)] = 255
    mask = op.gather(op.constant(is_face), op.squeeze(best, np.array([1])), 0).output(0)
    return ov.Model([_repeated(mask, reduced) if reduced > 1 else mask], [levels])


def centred(picture: ov.Output) -> ov.Output:
    """0..1 -> -1..1."""
    return op.subtract(op.multiply(picture, np.float32(2)), np.float32(1)).output(0)


def _repeated(mask: ov.Output, times: int) -> ov.Output:
    """(N, H, W) -> (N, H * times, W * times)."""
    places = np.repeat(np.arange(FACE_PX // times), times)
    return op.gather(op.gather(mask, places, 1), places, 2).output(0)
