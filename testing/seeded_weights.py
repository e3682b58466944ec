"""Seeded random weights at full size, in the official files' form, for networks without real ones.

The real weights of the large networks cannot be had everywhere. Cost, shapes and equality with the
reference are real with random ones, too; only the look is not. Nothing here needs the reference's
packages, so that files can be made on every Python.
"""

import shutil
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from photoenhance_ui.networks.shapes import Shapes, rrdb_shapes, srvgg_shapes
from photoenhance_ui.settings import Settings

GFPGAN_FILE = "GFPGANv1.4.pth"
RESTOREFORMER_FILE = "RestoreFormer.pth"
PARSENET_FILE = "parsing_parsenet.pth"
BISENET_FILE = "parsing_bisenet.pth"
MOBILENET_FILE = "detection_mobilenet0.25_Final.pth"
RESNET50_FILE = "detection_Resnet50_Final.pth"
X2PLUS_FILE = "RealESRGAN_x2plus.pth"
X4PLUS_FILE = "RealESRGAN_x4plus.pth"
ANIME_FILE = "RealESRGAN_x4plus_anime_6B.pth"
GENERAL_FILE = "realesr-general-x4v3.pth"
GENERAL_WDN_FILE = "realesr-general-wdn-x4v3.pth"
REAL_GENERAL_FILES = {
    GENERAL_FILE: "realesr-general-x4v3.fp16-rounded.pth",
    GENERAL_WDN_FILE: "realesr-general-wdn-x4v3.fp16-rounded.pth",
}
"""Official name -> how the real weights are called where they were stored in 16 bits."""
REAL_RRDB_FILES = {
    X4PLUS_FILE: "RealESRGAN_x4plus.fp16.pth",
    ANIME_FILE: "RealESRGAN_x4plus_anime_6B.fp16.pth",
}
"""As above."""

State = Mapping[str, Tensor]
GENERAL_SHAPES = srvgg_shapes(64, 32, 4)
DENSE_SHARE = 0.1
"""By which Real-ESRGAN makes the first weights of dense blocks smaller."""


def random_state(shapes: Shapes) -> dict[str, Tensor]:
    """Weights as torch begins with them: convolutions, their biases, and leaks of 0.25."""
    state = {}
    for name, shape in shapes.items():
        if name.endswith(".bias"):
            state[name] = torch.zeros(shape)
        elif len(shape) == 1:
            state[name] = torch.full(shape, 0.25)
        elif ".rdb" in name:
            state[name] = nn.init.kaiming_normal_(torch.empty(shape)) * DENSE_SHARE
        else:
            state[name] = nn.init.kaiming_uniform_(torch.empty(shape), a=5**0.5)
    return state


def rrdb_state(scale: int, blocks: int = 23) -> dict[str, Tensor]:
    """RRDBNet in the shape of x2plus or x4plus, through which a picture survives.

    On random layers nothing of it would be left, and no error would show: so each layer on the way
    passes its channels on at the kernel's centre, and the last one takes the channel that holds the
    first pixel of each colour.
    """
    state = random_state(rrdb_shapes(blocks, scale))
    for layer in ("conv_first", "conv_up1", "conv_up2", "conv_hr"):
        weight = state[f"{layer}.weight"]
        for channel in range(min(weight.shape[:2])):
            weight[channel, channel, 1, 1] += 1
    phases = 4 if scale == 2 else 1
    for colour in range(3):
        state["conv_last.weight"][colour, colour * phases, 1, 1] += 1
    return state


def gfpgan_state() -> State:
    """GFPGANv1Clean in the shape of v1.3 and v1.4."""
    from spandrel.architectures.GFPGAN import GFPGAN

    network: nn.Module = GFPGAN(
        out_size=512, num_style_feat=512, channel_multiplier=2, decoder_load_path=None,
        fix_decoder=False, num_mlp=8, input_is_latent=True, different_w=True, narrow=1,
        sft_half=True,
    )  # fmt: skip
    return network.state_dict()


def restoreformer_state() -> State:
    """RestoreFormer in the published shape."""
    from spandrel.architectures.RestoreFormer import RestoreFormer

    network: nn.Module = RestoreFormer(head_size=8, ch_mult=(1, 2, 2, 4, 4, 8))
    return network.state_dict()


def parsenet_state() -> State:
    """The published size of facexlib's ParseNet."""
    from facexlib.parsing.parsenet import ParseNet

    network: nn.Module = ParseNet(in_size=512, out_size=512, parsing_ch=19)
    return network.state_dict()


def bisenet_state() -> State:
    """The published size of facexlib's BiSeNet."""
    from facexlib.parsing.bisenet import BiSeNet

    network: nn.Module = BiSeNet(num_class=19)
    return network.state_dict()


def retinaface_state(backbone: str) -> State:
    """The published size of facexlib's RetinaFace on "mobile0.25" or "resnet50"."""
    from facexlib.detection.retinaface import RetinaFace

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an old parameter of torchvision's ResNet
        network: nn.Module = RetinaFace(backbone, device="cpu")
    return network.state_dict()


MAKERS: Mapping[str, tuple[Callable[[], State], str | None]] = {
    GFPGAN_FILE: (gfpgan_state, "params_ema"),
    RESTOREFORMER_FILE: (restoreformer_state, "params"),
    PARSENET_FILE: (parsenet_state, None),
    BISENET_FILE: (bisenet_state, None),
    MOBILENET_FILE: (lambda: retinaface_state("mobile0.25"), None),
    RESNET50_FILE: (lambda: retinaface_state("resnet50"), None),
    X2PLUS_FILE: (lambda: rrdb_state(2), "params_ema"),
    X4PLUS_FILE: (lambda: rrdb_state(4), "params_ema"),
    ANIME_FILE: (lambda: rrdb_state(4, 6), "params_ema"),
    GENERAL_FILE: (lambda: random_state(GENERAL_SHAPES), "params"),
    GENERAL_WDN_FILE: (lambda: random_state(GENERAL_SHAPES), "params"),
}
"""Of each file: what makes its weights, and under which key the authors' file keeps them."""


def write_random_weights(folder: Path, names: Sequence[str], seed: int = 1) -> None:
    """Write seeded random weights under the official names, those that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (folder / name).exists():
            continue
        torch.manual_seed(seed + zlib.crc32(name.encode()))  # no two networks are alike
        make, key = MAKERS[name]
        state = make()
        torch.save(state if key is None else {key: state}, folder / name)


def settings_of(folder: Path, data: Path, more: Sequence[str] = ()) -> Settings:
    """Those of an app on a CPU with all networks in ``folder``.

    The general networks and the detector are the real ones of ``data``, the face networks and
    ``more`` random.
    """
    shutil.copy(data / "weights" / MOBILENET_FILE, folder)
    for file, real in REAL_GENERAL_FILES.items():
        shutil.copy(data / "weights" / real, folder / file)
    write_random_weights(folder, (GFPGAN_FILE, PARSENET_FILE, *more))
    return Settings(
        device="cpu", offline=True, weights_dir=folder, trust_weights=True,
        cache_dir=folder / "proofs",
    )  # fmt: skip
