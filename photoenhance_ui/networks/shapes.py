"""Names and shapes of the weights of Real-ESRGAN's upscalers: what a file must hold.

Known without building the networks in torch, whose packages take seconds to import.
"""

from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]

FEATURES, RRDB_GROWTH, DENSE_CONVOLUTIONS = 64, 32, 5


def srvgg_shapes(features: int, convolutions: int, scale: int) -> Shapes:
    """SRVGGNetCompact: first, ``convolutions`` in the body, last; a PReLU after all but the last.

    ``features`` and ``convolutions`` at least 0; the result has 3 * scale^2 channels.
    """
    last = 2 * (convolutions + 1)
    inner = {
        name: shape
        for index in range(0, last, 2)
        for name, shape in (
            *_convolution(f"body.{index}", features if index else 3, features),
            (f"body.{index + 1}.weight", (features,)),
        )
    }
    return {**inner, **dict(_convolution(f"body.{last}", features, 3 * scale * scale))}


def rrdb_shapes(blocks: int, scale: int) -> Shapes:
    """RRDBNet with ``blocks`` residual-in-residual blocks; x2 folds 2x2 pixels into channels."""
    features = FEATURES
    shapes = dict(_convolution("conv_first", 12 if scale == 2 else 3, features))
    for block in range(blocks):
        for dense in ("rdb1", "rdb2", "rdb3"):
            shapes.update(_dense(f"body.{block}.{dense}"))
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        shapes.update(_convolution(name, features, features))
    return {**shapes, **dict(_convolution("conv_last", features, 3))}


def _dense(name: str) -> Shapes:
    features, growth = FEATURES, RRDB_GROWTH
    shapes: dict[str, tuple[int, ...]] = {}
    for index in range(DENSE_CONVOLUTIONS):
        outputs = features if index == DENSE_CONVOLUTIONS - 1 else growth
        convolution = _convolution(f"{name}.conv{index + 1}", features + index * growth, outputs)
        shapes.update(convolution)
    return shapes


def _convolution(name: str, inputs: int, outputs: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return (f"{name}.weight", (outputs, inputs, 3, 3)), (f"{name}.bias", (outputs,))
