"""What a file must hold is what the networks hold that spandrel and the card's packages build."""

from typing import Any

import pytest

pytest.importorskip("torch")

from photoenhance_ui.networks.shapes import Shapes, rrdb_shapes, srvgg_shapes

SRVGG_SIZES = [(64, 32, 4), (8, 1, 2), (4, 0, 1)]
RRDB_SIZES = [(3, 2), (6, 4), (1, 4)]


def shapes_of(network: Any) -> Shapes:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize(("features", "convolutions", "scale"), SRVGG_SIZES)
def test_srvgg_is_spandrels(features: int, convolutions: int, scale: int) -> None:
    from spandrel.architectures.Compact import Compact

    network = Compact(
        num_in_ch=3, num_out_ch=3, num_feat=features, num_conv=convolutions, upscale=scale
    )
    assert srvgg_shapes(features, convolutions, scale) == shapes_of(network)


@pytest.mark.parametrize(("features", "convolutions", "scale"), SRVGG_SIZES)
@pytest.mark.usefixtures("cards_packages")
def test_srvgg_is_that_of_realesrgan(features: int, convolutions: int, scale: int) -> None:
    from realesrgan.archs.srvgg_arch import SRVGGNetCompact

    network = SRVGGNetCompact(
        3, 3, num_feat=features, num_conv=convolutions, upscale=scale, act_type="prelu"
    )
    assert srvgg_shapes(features, convolutions, scale) == shapes_of(network)


@pytest.mark.parametrize(("blocks", "scale"), RRDB_SIZES)
@pytest.mark.usefixtures("cards_packages")
def test_rrdb_is_that_of_basicsr(blocks: int, scale: int) -> None:
    from basicsr.archs.rrdbnet_arch import RRDBNet

    network = RRDBNet(3, 3, scale=scale, num_feat=64, num_block=blocks, num_grow_ch=32)
    assert rrdb_shapes(blocks, scale) == shapes_of(network)


@pytest.mark.parametrize(("blocks", "scale"), RRDB_SIZES)
def test_spandrel_takes_an_rrdb_of_these_shapes_for_one_of_that_size(
    blocks: int, scale: int
) -> None:
    from spandrel.architectures.ESRGAN import ESRGANArch

    from testing.seeded_weights import rrdb_state

    model = ESRGANArch().load(rrdb_state(scale, blocks))
    assert model.scale == scale
    assert f"{blocks}nb" in model.tags
