"""The reference: ``GFPGANer`` with ``RealESRGANer`` of the installed packages, set up offline.

Its packages cannot be installed from Python 3.13 on, and neither can this be imported there. Where
the real weights are not to be had, seeded random ones serve (``seeded_weights``).
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from photoenhance_ui.networks.on_torch.basicsr_repair import repair
from photoenhance_ui.pipeline.contracts import DetectedFace
from testing.seeded_weights import (
    GENERAL_FILE,
    GENERAL_WDN_FILE,
    GFPGAN_FILE,
    PARSENET_FILE,
    X2PLUS_FILE,
    X4PLUS_FILE,
)

repair()

from basicsr.archs.rrdbnet_arch import RRDBNet  # noqa: E402
from facexlib.detection.retinaface import RetinaFace  # noqa: E402
from facexlib.parsing.parsenet import ParseNet  # noqa: E402
from facexlib.utils import face_restoration_helper  # noqa: E402
from gfpgan import GFPGANer  # noqa: E402
from realesrgan import RealESRGANer  # noqa: E402
from realesrgan.archs.srvgg_arch import SRVGGNetCompact  # noqa: E402

Picture = NDArray[np.uint8]

TILE_PX, TILE_PAD_PX = 160, 10
"""The scripts take 400; smaller, so that a small photo has several tiles. The pad is theirs."""


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


class InjectedFaces:
    """Stands where the reference has its detector, and tells it of faces that are given."""

    def __init__(self, faces: Sequence[DetectedFace]) -> None:
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
