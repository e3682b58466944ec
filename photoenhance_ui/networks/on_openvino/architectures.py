"""The architectures that OpenVINO computes here: a table for each role.

A new architecture is a file that builds its graph, and a line here.
"""

from collections.abc import Callable, Mapping
from functools import partial

import openvino as ov

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.networks.on_openvino.bisenet_graph import bisenet_graph
from photoenhance_ui.networks.on_openvino.compiled_networks import ParserGraph, RestorerGraph
from photoenhance_ui.networks.on_openvino.gfpgan_graph import gfpgan_graph
from photoenhance_ui.networks.on_openvino.layers import Weights
from photoenhance_ui.networks.on_openvino.parsenet_graph import parsenet_graph
from photoenhance_ui.networks.on_openvino.restoreformer_graph import restoreformer_graph
from photoenhance_ui.networks.on_openvino.retinaface_graph import (
    MOBILENET,
    RESNET50,
    retinaface_graph,
)
from photoenhance_ui.networks.on_openvino.rrdb_graph import rrdb
from photoenhance_ui.networks.on_openvino.srvgg_graph import srvgg
from photoenhance_ui.networks.on_openvino.upscaler_graph import UpscalerLayers

UPSCALERS: Mapping[Architecture, Callable[[int], UpscalerLayers]] = {
    Architecture.RRDB: rrdb,
    Architecture.SRVGG: srvgg,
}
"""What gives an upscaler's layers for its scale."""
DETECTORS: Mapping[Architecture, Callable[[Weights], ov.Model]] = {
    Architecture.RETINAFACE_MOBILENET: partial(retinaface_graph, backbone=MOBILENET),
    Architecture.RETINAFACE_RESNET50: partial(retinaface_graph, backbone=RESNET50),
}
RESTORERS: Mapping[Architecture, RestorerGraph] = {
    Architecture.GFPGAN_CLEAN: gfpgan_graph,
    Architecture.RESTOREFORMER: restoreformer_graph,
}
PARSERS: Mapping[Architecture, ParserGraph] = {
    Architecture.PARSENET: parsenet_graph,
    Architecture.BISENET: bisenet_graph,
}
