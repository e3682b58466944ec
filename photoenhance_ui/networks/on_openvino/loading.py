"""Installed files -> detectors, restorers and parsers of faces on a CPU, without torch.

A new architecture is a line in one of the tables.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import openvino as ov

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.networks.on_openvino.bisenet_graph import bisenet_graph
from photoenhance_ui.networks.on_openvino.compiled import (
    CompiledFinder,
    CompiledParser,
    CompiledRestorer,
    ParserGraph,
    RestorerGraph,
)
from photoenhance_ui.networks.on_openvino.detector_graphs import (
    MOBILENET,
    RESNET50,
    retinaface_graph,
)
from photoenhance_ui.networks.on_openvino.face_graphs import gfpgan_graph, parsenet_graph
from photoenhance_ui.networks.on_openvino.graphs import Weights
from photoenhance_ui.networks.on_openvino.restoreformer_graph import restoreformer_graph
from photoenhance_ui.networks.state_dicts import graph_errors_told, load_arrays
from photoenhance_ui.weights import Installed

FINDER_GRAPHS: Mapping[Architecture, Callable[[Weights], ov.Model]] = {
    Architecture.RETINAFACE_MOBILENET: partial(retinaface_graph, backbone=MOBILENET),
    Architecture.RETINAFACE_RESNET50: partial(retinaface_graph, backbone=RESNET50),
}
RESTORER_GRAPHS: Mapping[Architecture, RestorerGraph] = {
    Architecture.GFPGAN_CLEAN: gfpgan_graph,
    Architecture.RESTOREFORMER: restoreformer_graph,
}
PARSER_GRAPHS: Mapping[Architecture, ParserGraph] = {
    Architecture.PARSENET: parsenet_graph,
    Architecture.BISENET: bisenet_graph,
}


def compile_finder(found: Installed) -> CompiledFinder | None:
    """The finder of an installed file; None where only others know how. Raises WeightsDamaged."""
    graph = FINDER_GRAPHS.get(_architecture(found))
    if graph is None:
        return None
    read = partial(load_arrays, found.path)
    with graph_errors_told(found.path):
        graph(read())
    return CompiledFinder(found.name, read, graph)


def compile_restorer(found: Installed) -> CompiledRestorer | None:
    """The restorer of an installed file; None where only torch knows how. Raises WeightsDamaged."""
    graph = RESTORER_GRAPHS.get(_architecture(found))
    if graph is None:
        return None
    read = partial(load_arrays, found.path)
    with graph_errors_told(found.path):
        graph(read(), np.uint8)
    return CompiledRestorer(found.name, read, graph)


def compile_parser(found: Installed) -> CompiledParser:
    """The parser of an installed file. Raises WeightsDamaged."""
    graph = PARSER_GRAPHS[_architecture(found)]
    read = partial(load_arrays, found.path)
    with graph_errors_told(found.path):
        graph(read(), np.uint8, 1)
    return CompiledParser(found.name, read, graph)


def _architecture(found: Installed) -> Architecture:
    assert found.known is not None, "a person's own file is an upscaler"
    return found.known.architecture
