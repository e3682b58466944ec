"""Installed files -> detectors, restorers and parsers of faces on a CPU, without torch.

A new architecture is a line in the table.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.networks.on_openvino.bisenet_graph import bisenet_graph
from photoenhance_ui.networks.on_openvino.compiled import (
    Compiled,
    CompiledDetector,
    CompiledParser,
    CompiledRestorer,
)
from photoenhance_ui.networks.on_openvino.detector_graphs import (
    MOBILENET,
    RESNET50,
    retinaface_graph,
)
from photoenhance_ui.networks.on_openvino.face_graphs import gfpgan_graph, parsenet_graph
from photoenhance_ui.networks.on_openvino.restoreformer_graph import restoreformer_graph
from photoenhance_ui.networks.state_dicts import load_arrays, weights_errors_told
from photoenhance_ui.weights import Installed

FACE_NETWORKS: Mapping[Architecture, tuple[Callable[..., Compiled], Callable[..., Any]]] = {
    Architecture.RETINAFACE_MOBILENET: (
        CompiledDetector, partial(retinaface_graph, backbone=MOBILENET),
    ),
    Architecture.RETINAFACE_RESNET50: (
        CompiledDetector, partial(retinaface_graph, backbone=RESNET50),
    ),
    Architecture.GFPGAN_CLEAN: (CompiledRestorer, gfpgan_graph),
    Architecture.RESTOREFORMER: (CompiledRestorer, restoreformer_graph),
    Architecture.PARSENET: (CompiledParser, parsenet_graph),
    Architecture.BISENET: (CompiledParser, bisenet_graph),
}  # fmt: skip
"""Of each architecture: the role's network, and what builds its graph of weights."""


def compile_face_network(found: Installed) -> Any:
    """The network of an installed file in its role; None where only others know how.

    Raises WeightsDamaged.
    """
    assert found.known is not None, "a person's own file is an upscaler"
    if found.known.architecture not in FACE_NETWORKS:
        return None
    make, graph = FACE_NETWORKS[found.known.architecture]
    network = make(found.name, partial(load_arrays, found.path), graph)
    with weights_errors_told(found.path):
        network.check()
    return network
