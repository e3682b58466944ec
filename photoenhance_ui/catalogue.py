"""Every known weight file: source, bytes, SHA-256, licence, architecture, and what it is for.

Sizes and hashes are those of the files that the networks' authors publish.
"""

from dataclasses import dataclass
from enum import StrEnum

from photoenhance_ui.request import BUILTIN


class Role(StrEnum):
    """What a network does in the pipeline."""

    UPSCALER = "upscaler"
    DETECTOR = "detector"
    RESTORER = "restorer"
    PARSER = "parser"


class Architecture(StrEnum):
    """The family that a file's network belongs to: decides which loader builds it."""

    RRDB = "RRDBNet"
    SRVGG = "SRVGGNetCompact"
    GFPGAN_CLEAN = "GFPGANv1Clean"
    RESTOREFORMER = "RestoreFormer"
    CODEFORMER = "CodeFormer"
    RETINAFACE_RESNET50 = "RetinaFace ResNet-50"
    RETINAFACE_MOBILENET = "RetinaFace MobileNet-0.25"
    YUNET = "YuNet"
    PARSENET = "ParseNet"
    BISENET = "BiSeNet"


@dataclass(frozen=True)
class WeightFile:
    """One published file."""

    file: str
    url: str
    bytes: int
    sha256: str
    licence: str
    role: Role
    architecture: Architecture
    purpose: str
    scale: int | None = None
    """Upscalers: the whole factor by which they enlarge."""
    blocks: int | None = None
    """Upscalers: RRDB blocks, or convolutions in the body of an SRVGG."""
    operations_per_pixel: float | None = None
    """Upscalers: multiply-adds for each pixel of the photo, counted on the architecture."""
    companion: str | None = None
    """Name of a file that is only used together with this one."""
    chosen_alone: bool = True
    """False for a companion, which nobody chooses by itself."""
    runs: bool = True
    """False where no package of ours can build the network."""

    @property
    def name(self) -> str:
        """The stem of the file: the name by which a person chooses it."""
        return self.file.rpartition(".")[0]


_GFPGAN = "https://github.com/TencentARC/GFPGAN/releases/download"
_REAL = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_FACEXLIB = "https://github.com/xinntao/facexlib/releases/download"
_CODEFORMER = "https://github.com/sczhou/CodeFormer/releases/download"
# Kept in Git LFS, which serves it from this host; a fixed commit, because new versions of the
# network take the place of old ones on the branch.
_OPENCV_ZOO = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo"
    "/47534e27c9851bb1128ccc0102f1145e27f23f98/models"
)

_GFPGAN_LICENCE = "Apache-2.0; its StyleGAN2 part for research or evaluation"
_CELEBA = "MIT code; trained on CelebAMask-HQ"

CATALOGUE: tuple[WeightFile, ...] = (
    WeightFile(
        "GFPGANv1.4.pth", f"{_GFPGAN}/v1.3.0/GFPGANv1.4.pth", 348632874,
        "e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
        _GFPGAN_LICENCE, Role.RESTORER, Architecture.GFPGAN_CLEAN,
        "Restores faces; the natural look of the two GFPGANs",
    ),
    WeightFile(
        "GFPGANv1.3.pth", f"{_GFPGAN}/v1.3.0/GFPGANv1.3.pth", 348632874,
        "c953a88f2727c85c3d9ae72e2bd4846bbaf59fe6972ad94130e23e7017524a70",
        _GFPGAN_LICENCE, Role.RESTORER, Architecture.GFPGAN_CLEAN,
        "Restores faces; used where v1.4 is not there",
    ),
    WeightFile(
        "RestoreFormer.pth", f"{_GFPGAN}/v1.3.4/RestoreFormer.pth", 290785322,
        "07404d446d62ca3d5ed38b1de09a947a1e77d46dbccec961a74d713a8f24ace0",
        "unconfirmed", Role.RESTORER, Architecture.RESTOREFORMER,
        "Restores faces with a transformer; used where no GFPGAN is there",
    ),
    WeightFile(
        "codeformer.pth", f"{_CODEFORMER}/v0.1.0/codeformer.pth", 376637898,
        "1009e537e0c2a07d4cabce6355f53cb66767cd4b4297ec7a4a64ca4b8a5684b7",
        "S-Lab, non-commercial", Role.RESTORER, Architecture.CODEFORMER,
        "Known, so that it is named; not run: its licence forbids commercial use", runs=False,
    ),
    WeightFile(
        "RealESRGAN_x2plus.pth", f"{_REAL}/v0.2.1/RealESRGAN_x2plus.pth", 67061725,
        "49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        "BSD-3-Clause", Role.UPSCALER, Architecture.RRDB,
        "Photos, twice as large", scale=2, blocks=23, operations_per_pixel=4.48e6,
    ),
    WeightFile(
        "RealESRGAN_x4plus.pth", f"{_REAL}/v0.1.0/RealESRGAN_x4plus.pth", 67040989,
        "4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
        "BSD-3-Clause", Role.UPSCALER, Architecture.RRDB,
        "Photos, four times as large", scale=4, blocks=23, operations_per_pixel=17.93e6,
    ),
    WeightFile(
        "realesr-general-x4v3.pth", f"{_REAL}/v0.2.5.0/realesr-general-x4v3.pth", 4885111,
        "8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        "BSD-3-Clause", Role.UPSCALER, Architecture.SRVGG,
        "Photos, four times as large, fast, with adjustable denoising",
        scale=4, blocks=32, operations_per_pixel=1.21e6, companion="realesr-general-wdn-x4v3",
    ),
    WeightFile(
        "realesr-general-wdn-x4v3.pth", f"{_REAL}/v0.2.5.0/realesr-general-wdn-x4v3.pth", 4885111,
        "1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca",
        "BSD-3-Clause", Role.UPSCALER, Architecture.SRVGG,
        "The other end of the denoising of realesr-general-x4v3",
        scale=4, blocks=32, operations_per_pixel=1.21e6, chosen_alone=False,
    ),
    WeightFile(
        "RealESRGAN_x4plus_anime_6B.pth", f"{_REAL}/v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth",
        17938799, "f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da",
        "BSD-3-Clause", Role.UPSCALER, Architecture.RRDB,
        "Illustrations, four times as large", scale=4, blocks=6, operations_per_pixel=5.70e6,
    ),
    WeightFile(
        "detection_Resnet50_Final.pth", f"{_FACEXLIB}/v0.1.0/detection_Resnet50_Final.pth",
        109497761, "6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
        "MIT", Role.DETECTOR, Architecture.RETINAFACE_RESNET50, "Finds faces, most surely",
    ),
    WeightFile(
        "detection_mobilenet0.25_Final.pth",
        f"{_FACEXLIB}/v0.1.0/detection_mobilenet0.25_Final.pth",
        1789735, "2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
        "MIT", Role.DETECTOR, Architecture.RETINAFACE_MOBILENET, "Finds faces, quickly",
    ),
    WeightFile(
        "face_detection_yunet_2023mar.onnx",
        f"{_OPENCV_ZOO}/face_detection_yunet/face_detection_yunet_2023mar.onnx",
        232589, "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        "MIT", Role.DETECTOR, Architecture.YUNET, "Finds faces, from the smallest file",
    ),
    WeightFile(
        "parsing_parsenet.pth", f"{_FACEXLIB}/v0.2.2/parsing_parsenet.pth", 85331193,
        "3d558d8d0e42c20224f13cf5a29c79eba2d59913419f945545d8cf7b72920de2",
        _CELEBA, Role.PARSER, Architecture.PARSENET,
        "Tells face from hair and background, so that no seam is seen",
    ),
    WeightFile(
        "parsing_bisenet.pth", f"{_FACEXLIB}/v0.2.0/parsing_bisenet.pth", 53289463,
        "468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        _CELEBA, Role.PARSER, Architecture.BISENET,
        "As ParseNet, in a fraction of the time",
    ),
)  # fmt: skip

DETECTORS = (
    "detection_Resnet50_Final",
    "detection_mobilenet0.25_Final",
    "face_detection_yunet_2023mar",
)
RESTORERS = ("GFPGANv1.4", "GFPGANv1.3", "RestoreFormer")
PARSERS = ("parsing_parsenet", "parsing_bisenet")
"""What ``auto`` takes of the face networks, best first."""

_EVERY_DEVICE = (
    "realesr-general-wdn-x4v3",  # first: alone it is no choice, so no photo sees half a pair
    "realesr-general-x4v3",
    "detection_Resnet50_Final",
    "GFPGANv1.4",
    "parsing_parsenet",
)
_GPU_TOO = ("RealESRGAN_x2plus", "RealESRGAN_x4plus")


def by_name(name: str) -> WeightFile:
    """The file of that name (its stem); KeyError where it is not known."""
    return _BY_NAME[name]


def by_file(file_name: str) -> WeightFile | None:
    """The file that is published under that file name; None where none is."""
    return _BY_FILE.get(file_name)


def logged_name(name: str) -> str:
    """What the log calls a network: a person's own name for a file is nobody else's business."""
    return name if name in _BY_NAME or name == BUILTIN else "own"


def default_downloads(device: str) -> tuple[WeightFile, ...]:
    """What ``auto`` wants on this device ("cpu", "cuda", "mps"), smallest gain of time first."""
    names = _EVERY_DEVICE if device == "cpu" else (*_EVERY_DEVICE, *_GPU_TOO)
    return tuple(_BY_NAME[name] for name in names)


_BY_NAME = {file.name: file for file in CATALOGUE}
_BY_FILE = {file.file: file for file in CATALOGUE}
