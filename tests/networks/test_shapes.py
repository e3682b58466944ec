"""What a file must hold is what torch's networks hold."""

import pytest
from torch import nn

from photoenhance_ui.networks.on_torch.upscalers import _rrdb, _srvgg
from photoenhance_ui.networks.shapes import Shapes, rrdb_shapes, srvgg_shapes


def shapes_of(network: nn.Module) -> Shapes:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize(("features", "convolutions", "scale"), [(64, 32, 4), (8, 1, 2), (4, 0, 1)])
def test_srvgg(features: int, convolutions: int, scale: int) -> None:
    network = _srvgg(features, convolutions, scale)
    assert srvgg_shapes(features, convolutions, scale) == shapes_of(network)


@pytest.mark.parametrize(("blocks", "scale"), [(23, 2), (6, 4), (1, 4)])
def test_rrdb(blocks: int, scale: int) -> None:
    assert rrdb_shapes(blocks, scale) == shapes_of(_rrdb(scale, blocks))
