"""SRVGGNetCompact of Real-ESRGAN as layers of an OpenVINO graph."""

import numpy as np
import openvino as ov
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.layers import Layers
from photoenhance_ui.networks.on_openvino.upscaler_graph import UpscalerLayers


def srvgg(scale: int) -> UpscalerLayers:
    """SRVGGNetCompact: plain convolutions at the small size, added to the picture as it is."""

    def network(layers: Layers, picture: ov.Output) -> ov.Output:
        x, index = picture, 0
        while layers.has(f"body.{index}"):
            name = f"body.{index}"
            layer = layers.convolution if layers.is_convolution(name) else layers.prelu
            x, index = layer(name, x), index + 1
        # Adding each pixel to all that become of it, before they are laid out, is cheaper than
        # enlarging the picture and adding it afterwards, and the same.
        repeated = op.gather(picture, np.repeat(np.arange(3), scale * scale), 1)
        return op.add(x, repeated).output(0)

    return UpscalerLayers(network, folded=scale)
