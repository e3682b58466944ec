"""RRDBNet of Real-ESRGAN (ESRGAN: Wang et al., 2018) as layers of an OpenVINO graph."""

import numpy as np
import openvino as ov
from openvino import opset13 as op

from photoenhance_ui.networks.on_openvino.layers import Layers, leaky, twice_as_large
from photoenhance_ui.networks.on_openvino.upscaler_graph import UpscalerLayers

RESIDUAL_SHARE = 0.2  # of what the blocks add


def rrdb(scale: int) -> UpscalerLayers:
    """RRDBNet of Real-ESRGAN, x2 or x4: dense blocks at the small size, then twice enlarged."""

    def network(layers: Layers, picture: ov.Output) -> ov.Output:
        folded = op.space_to_depth(picture, "depth_first", 2).output(0) if scale == 2 else picture
        first = x = layers.convolution("conv_first", folded)
        index = 0
        while layers.has(f"body.{index}.rdb1.conv1"):
            x, index = _rrdb_block(layers, f"body.{index}", x), index + 1
        x = op.add(first, layers.convolution("conv_body", x)).output(0)
        for name in ("conv_up1", "conv_up2"):
            x = leaky(layers.convolution(name, twice_as_large(x)))
        x = leaky(layers.convolution("conv_hr", x))
        return layers.convolution("conv_last", x)

    return UpscalerLayers(network)


def _rrdb_block(layers: Layers, name: str, x: ov.Output) -> ov.Output:
    y = x
    for dense in ("rdb1", "rdb2", "rdb3"):
        y = _dense_block(layers, f"{name}.{dense}", y)
    return _plus_share(x, y)


def _dense_block(layers: Layers, name: str, x: ov.Output) -> ov.Output:
    seen = [x]
    for index in range(1, 5):
        all_seen = op.concat(seen, 1).output(0) if len(seen) > 1 else x
        seen.append(leaky(layers.convolution(f"{name}.conv{index}", all_seen)))
    return _plus_share(x, layers.convolution(f"{name}.conv5", op.concat(seen, 1).output(0)))


def _plus_share(x: ov.Output, y: ov.Output) -> ov.Output:
    return op.add(x, op.multiply(y, np.float32(RESIDUAL_SHARE))).output(0)
