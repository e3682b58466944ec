"""The reference: ``GFPGANer`` with ``RealESRGANer`` of the installed packages, set up offline.

The real weights of the large networks cannot be had everywhere, so they may be written as seeded
random ones, at full size and in the official files' form. Cost, shapes and equality are then
real; only the look is not.
"""

import functools
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from photoenhance_ui.networks.interfaces import FoundFace
from photoenhance_ui.networks.on_torch.basicsr_repair import repair
from photoenhance_ui.settings import Settings

repair()

from basicsr.archs.rrdbnet_arch import RRDBNet  # noqa: E402
from facexlib.detection.retinaface import RetinaFace  # noqa: E402
from facexlib.parsing.parsenet import ParseNet  # noqa: E402
from facexlib.utils import face_restoration_helper  # noqa: E402
from gfpgan import GFPGANer  # noqa: E402
from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean  # noqa: E402
from realesrgan import RealESRGANer  # noqa: E402
from realesrgan.archs.srvgg_arch import SRVGGNetCompact  # noqa: E402

Picture = NDArray[np.uint8]

GFPGAN_FILE = "GFPGANv1.4.pth"
PARSENET_FILE = "parsing_parsenet.pth"
MOBILENET_FILE = "detection_mobilenet0.25_Final.pth"
X2PLUS_FILE = "RealESRGAN_x2plus.pth"
X4PLUS_FILE = "RealESRGAN_x4plus.pth"
GENERAL_FILE = "realesr-general-x4v3.pth"
GENERAL_WDN_FILE = "realesr-general-wdn-x4v3.pth"
REAL_GENERAL_FILES = {
    GENERAL_FILE: "realesr-general-x4v3.fp16-rounded.pth",
    GENERAL_WDN_FILE: "realesr-general-wdn-x4v3.fp16-rounded.pth",
}
"""Official name -> how the real weights are called where they were stored in 16 bits."""

TILE_PX, TILE_PAD_PX = 160, 10
"""The scripts take 400; smaller, so that a small photo has several tiles. The pad is theirs."""


def gfpgan_network() -> nn.Module:
    """GFPGANv1Clean in the shape of v1.3 and v1.4."""
    network: nn.Module = GFPGANv1Clean(
        out_size=512, num_style_feat=512, channel_multiplier=2, decoder_load_path=None,
        fix_decoder=False, num_mlp=8, input_is_latent=True, different_w=True, narrow=1,
        sft_half=True,
    )  # fmt: skip
    return network


def rrdb_network(scale: int) -> nn.Module:
    """RRDBNet in the shape of x2plus or x4plus."""
    network: nn.Module = RRDBNet(3, 3, scale=scale, num_feat=64, num_block=23, num_grow_ch=32)
    return network


def srvgg_network() -> nn.Module:
    """SRVGGNetCompact in the shape of general-x4v3."""
    network: nn.Module = SRVGGNetCompact(
        3, 3, num_feat=64, num_conv=32, upscale=4, act_type="prelu"
    )
    return network


def write_random_weights(folder: Path, names: Sequence[str], seed: int = 1) -> None:
    """Write seeded random weights under the official names, those that are not there yet."""
    makers = {
        GFPGAN_FILE: (gfpgan_network, "params_ema"),
        PARSENET_FILE: (lambda: ParseNet(in_size=512, out_size=512, parsing_ch=19), None),
        X2PLUS_FILE: (lambda: _with_signal(rrdb_network(2), 4), "params_ema"),
        X4PLUS_FILE: (lambda: _with_signal(rrdb_network(4), 1), "params_ema"),
        GENERAL_FILE: (srvgg_network, "params"),
        GENERAL_WDN_FILE: (srvgg_network, "params"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (folder / name).exists():
            continue
        torch.manual_seed(seed + zlib.crc32(name.encode()))  # no two networks are alike
        build, key = makers[name]
        state = build().state_dict()
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


def _with_signal(network: Any, phases: int) -> nn.Module:
    """Lay a way through a random RRDBNet on which the picture survives, so that errors show.

    Each layer on the way passes its channels on at the kernel's centre; the last one takes the
    channel that holds the first of ``phases`` pixels of each colour.
    """
    with torch.no_grad():
        for layer in (network.conv_first, network.conv_up1, network.conv_up2, network.conv_hr):
            for channel in range(min(layer.in_channels, layer.out_channels)):
                layer.weight[channel, channel, 1, 1] += 1
        for colour in range(3):
            network.conv_last.weight[colour, colour * phases, 1, 1] += 1
    done: nn.Module = network
    return done


class InjectedFaces:
    """Stands where the reference has its detector, and tells it of faces that are given."""

    def __init__(self, faces: Sequence[FoundFace]) -> None:
        rows = [[*f.box, f.score, *f.landmarks.reshape(-1)] for f in faces]
        self._rows = np.array(rows, np.float32).reshape(len(rows), 15)

    def detect_faces(self, _image: Any, _threshold: float) -> NDArray[np.float32]:
        """What facexlib's detectors give: box, score, five points per row."""
        return self._rows


def mobilenet_detector(path: Path) -> Any:
    """Facexlib's own detector with the real MobileNet-0.25 file."""
    detector = RetinaFace("mobile0.25", device="cpu")
    state = torch.load(path, map_location="cpu", weights_only=True)
    detector.load_state_dict({k.removeprefix("module."): v for k, v in state.items()})
    return detector.eval()


def background(folder: Path, file: str, denoise: float = 1.0) -> Any:
    """``RealESRGANer`` as the authors' scripts set it up, in 32 bits on the CPU.

    ``denoise`` 0..1 blends the general network with its companion, as their script does.
    """
    model, scale = {
        X2PLUS_FILE: (lambda: rrdb_network(2), 2),
        X4PLUS_FILE: (lambda: rrdb_network(4), 4),
        GENERAL_FILE: (srvgg_network, 4),
    }[file]
    blended = file == GENERAL_FILE and denoise != 1
    paths = [str(folder / name) for name in (file, GENERAL_WDN_FILE)]
    return RealESRGANer(
        scale=scale, model_path=paths if blended else paths[0],
        dni_weight=[denoise, 1 - denoise] if blended else None, model=model(), tile=TILE_PX,
        tile_pad=TILE_PAD_PX, pre_pad=0, half=False, device=torch.device("cpu"),
    )  # fmt: skip


def gfpganer(folder: Path, detector: Any, upscale: float, upsampler: Any) -> Any:
    """``GFPGANer`` with these files, this detector, and the noise stored with its weights."""
    parser = ParseNet(in_size=512, out_size=512, parsing_ch=19)
    parser.load_state_dict(
        torch.load(folder / PARSENET_FILE, map_location="cpu", weights_only=True)
    )
    with (
        patch.object(face_restoration_helper, "init_detection_model", lambda *_, **__: detector),
        patch.object(face_restoration_helper, "init_parsing_model", lambda *_, **__: parser.eval()),
    ):
        restorer = GFPGANer(
            str(folder / GFPGAN_FILE), upscale=upscale, bg_upsampler=upsampler,
            device=torch.device("cpu"),
        )  # fmt: skip
    network = restorer.gfpgan
    network.forward = functools.partial(network.forward, randomize_noise=False)
    return restorer


def reference_result(restorer: Any, pixels: Picture) -> tuple[Picture, int]:
    """(H, W, 3) RGB -> the reference's result and how many faces it restored."""
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    _, faces, result = restorer.enhance(bgr, paste_back=True)
    return np.ascontiguousarray(result[..., ::-1]), len(faces)
