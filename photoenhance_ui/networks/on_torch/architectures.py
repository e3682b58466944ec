"""The published files' architectures as torch modules, in one table.

Upscalers and restorers are spandrel's, face detectors and parsers facexlib's: both install on
every Python, and are equal bit for bit to those of basicsr, realesrgan and gfpgan, which are the
reference in tests where they can be installed (docs/decisions/0030-one-source-of-architectures.md).
"""

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.contracts import FACE_PX
from photoenhance_ui.networks.parsing import CLASSES
from photoenhance_ui.networks.state_dicts import Arrays, weights_errors_told


def module_of(architecture: Architecture, weights: Arrays, path: Path) -> nn.Module:
    """The network with these weights, on the CPU in 32 bits.

    Raises WeightsDamaged, which names the file at ``path``, where they are not its own.
    """
    state = {name: torch.from_numpy(value) for name, value in weights.items()}
    with weights_errors_told(path):
        return _BUILDERS[architecture](state)


State = Mapping[str, torch.Tensor]


def _of_spandrel(folder: str) -> Callable[[State], nn.Module]:
    """An architecture of spandrel tells its own size from the weights, and takes them strictly."""

    def build(state: State) -> nn.Module:
        package = import_module(f"spandrel.architectures.{folder}")
        network: nn.Module = getattr(package, f"{folder}Arch")().load(dict(state)).model
        return network

    return build


def _retinaface(backbone: str) -> Callable[[State], nn.Module]:
    def build(state: State) -> nn.Module:
        from facexlib.detection.retinaface import RetinaFace

        with warnings.catch_warnings():
            # facexlib asks torchvision for an untrained ResNet by an old parameter name.
            warnings.simplefilter("ignore", UserWarning)
            return _filled(RetinaFace(backbone, device="cpu"), state)

    return build


def _parsenet(state: State) -> nn.Module:
    from facexlib.parsing.parsenet import ParseNet

    return _filled(ParseNet(in_size=FACE_PX, out_size=FACE_PX, parsing_ch=CLASSES), state)


def _bisenet(state: State) -> nn.Module:
    from facexlib.parsing.bisenet import BiSeNet

    return _filled(BiSeNet(num_class=CLASSES), state)


def _filled(network: nn.Module, state: State) -> nn.Module:
    network.load_state_dict(state, strict=True)
    return network


_BUILDERS: Mapping[Architecture, Callable[[State], nn.Module]] = {
    Architecture.RRDB: _of_spandrel("ESRGAN"),
    Architecture.SRVGG: _of_spandrel("Compact"),
    Architecture.GFPGAN_CLEAN: _of_spandrel("GFPGAN"),
    Architecture.RESTOREFORMER: _of_spandrel("RestoreFormer"),
    Architecture.RETINAFACE_RESNET50: _retinaface("resnet50"),
    Architecture.RETINAFACE_MOBILENET: _retinaface("mobile0.25"),
    Architecture.PARSENET: _parsenet,
    Architecture.BISENET: _bisenet,
}
