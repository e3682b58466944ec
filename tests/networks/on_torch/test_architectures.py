"""The architectures in torch: each takes its official weights, and is that of the card's packages.

What compares with gfpgan, realesrgan and basicsr is skipped where they cannot be installed, from
Python 3.13 on.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from photoenhance_ui.catalogue import CATALOGUE, Architecture, Role
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.on_torch.architectures import (
    DETECTORS,
    PARSERS,
    RESTORERS,
    UPSCALERS,
    module_of,
)
from photoenhance_ui.networks.state_dicts import Arrays
from testing import seeded_weights

pytestmark = pytest.mark.usefixtures("one_thread")

OFFICIAL = {
    Architecture.RRDB: lambda: seeded_weights.rrdb_state(4, 6),
    Architecture.SRVGG: lambda: seeded_weights.random_state(seeded_weights.GENERAL_SHAPES),
    Architecture.GFPGAN_CLEAN: seeded_weights.gfpgan_state,
    Architecture.RESTOREFORMER: seeded_weights.restoreformer_state,
    Architecture.RETINAFACE_RESNET50: lambda: seeded_weights.retinaface_state("resnet50"),
    Architecture.RETINAFACE_MOBILENET: lambda: seeded_weights.retinaface_state("mobile0.25"),
    Architecture.PARSENET: seeded_weights.parsenet_state,
    Architecture.BISENET: seeded_weights.bisenet_state,
}


BUILDS = {
    **UPSCALERS,
    **DETECTORS,
    **RESTORERS,
    **{architecture: build for architecture, (build, _) in PARSERS.items()},
}


def arrays_of(state: Any) -> Arrays:
    return {name: value.numpy() for name, value in state.items()}


def rrdb(scale: int, blocks: int) -> Any:
    from basicsr.archs.rrdbnet_arch import RRDBNet

    return RRDBNet(3, 3, scale=scale, num_feat=64, num_block=blocks, num_grow_ch=32)


def srvgg() -> Any:
    from realesrgan.archs.srvgg_arch import SRVGGNetCompact

    return SRVGGNetCompact(3, 3, num_feat=64, num_conv=32, upscale=4, act_type="prelu")


def gfpgan_clean() -> Any:
    from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean

    return GFPGANv1Clean(
        out_size=512, num_style_feat=512, channel_multiplier=2, decoder_load_path=None,
        fix_decoder=False, num_mlp=8, input_is_latent=True, different_w=True, narrow=1,
        sft_half=True,
    )  # fmt: skip


def restoreformer() -> Any:
    from gfpgan.archs.restoreformer_arch import RestoreFormer

    return RestoreFormer()


CARDS: dict[str, tuple[Architecture, Callable[[], Any], Callable[[], Any], int]] = {
    "x4plus": (Architecture.RRDB, lambda: seeded_weights.rrdb_state(4), lambda: rrdb(4, 23), 8),
    "anime": (Architecture.RRDB, lambda: seeded_weights.rrdb_state(4, 6), lambda: rrdb(4, 6), 16),
    "x2plus": (Architecture.RRDB, lambda: seeded_weights.rrdb_state(2), lambda: rrdb(2, 23), 16),
    "general": (Architecture.SRVGG, OFFICIAL[Architecture.SRVGG], srvgg, 40),
    "gfpgan": (Architecture.GFPGAN_CLEAN, seeded_weights.gfpgan_state, gfpgan_clean, 512),
    "restoreformer": (
        Architecture.RESTOREFORMER, seeded_weights.restoreformer_state, restoreformer, 512,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.usefixtures("cards_packages")
def test_it_gives_bit_for_bit_what_the_cards_package_gives(name: str) -> None:
    architecture, make_state, make_reference, side = CARDS[name]
    torch.manual_seed(3)
    state = dict(make_state())
    ours = module_of(BUILDS[architecture], arrays_of(state), Path("any.pth")).eval()
    reference = make_reference()
    reference.load_state_dict(state, strict=True)
    picture = torch.rand(1, 3, side, side) * 2 - 1
    options = {"randomize_noise": False} if name == "gfpgan" else {}
    with torch.inference_mode():
        given = ours(picture, **options), reference.eval()(picture, **options)
    mine, theirs = (each[0] if isinstance(each, tuple) else each for each in given)
    assert torch.equal(mine, theirs)
    assert torch.isfinite(mine).all()


@pytest.mark.parametrize("architecture", OFFICIAL, ids=lambda a: a.name.lower())
def test_it_takes_its_official_weights_and_no_others(architecture: Architecture) -> None:
    weights = arrays_of(OFFICIAL[architecture]())
    build = BUILDS[architecture]
    assert sum(p.numel() for p in module_of(build, weights, Path("a.pth")).parameters())
    some = next(name for name in weights if name.endswith(".weight"))
    for wrong in ({name: value for name, value in weights.items() if name != some}, {}):
        with pytest.raises(WeightsDamaged, match=r"a\.pth"):
            module_of(build, wrong, Path("a.pth"))


def test_every_network_that_torch_can_be_asked_for_has_its_architecture() -> None:
    asked = {file.architecture for file in CATALOGUE if file.runs}
    assert asked - {Architecture.YUNET} == set(OFFICIAL)
    assert {file.role for file in CATALOGUE} == set(Role)
