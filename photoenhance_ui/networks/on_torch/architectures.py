"""The published files' architectures as torch modules: a table for each role.

A new architecture is a function that builds it of weights, and a line here.

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
from photoenhance_ui.networks.parsing import BISENET, CLASSES, PARSENET, Parsing
from photoenhance_ui.networks.state_dicts import Arrays, weights_errors_told
from photoenhance_ui.pipeline.contracts import FACE_PX


def module_of(build: "Build", weights: Arrays, path: Path) -> nn.Module:
    """The network that ``build`` makes of these weights, on the CPU in 32 bits.

    Raises WeightsDamaged, which names the file at ``path``, where they are not its own.
    """
    state = {name: torch.from_numpy(value) for name, value in weights.items()}
    with weights_errors_told(path):
        return build(state)


State = Mapping[str, torch.Tensor]
Build = Callable[[State], nn.Module]
"""Builds a network of weights; raises whatever is wrong with them."""


def _of_spandrel(folder: str) -> Build:
    """An architecture of spandrel: it tells its size from the weights, and takes no others."""

    def build(state: State) -> nn.Module:
        package = import_module(f"spandrel.architectures.{folder}")
        network: nn.Module = getattr(package, f"{folder}Arch")().load(dict(state)).model
        return network

    return build


def _retinaface(backbone: str) -> Build:
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


UPSCALERS: Mapping[Architecture, Build] = {
    Architecture.RRDB: _of_spandrel("ESRGAN"),
    Architecture.SRVGG: _of_spandrel("Compact"),
}
DETECTORS: Mapping[Architecture, Build] = {
    Architecture.RETINAFACE_RESNET50: _retinaface("resnet50"),
    Architecture.RETINAFACE_MOBILENET: _retinaface("mobile0.25"),
}
RESTORERS: Mapping[Architecture, Build] = {
    Architecture.GFPGAN_CLEAN: _of_spandrel("GFPGAN"),
    Architecture.RESTOREFORMER: _of_spandrel("RestoreFormer"),
}
PARSERS: Mapping[Architecture, tuple[Build, Parsing]] = {
    Architecture.PARSENET: (_parsenet, PARSENET),
    Architecture.BISENET: (_bisenet, BISENET),
}
"""What builds a parser, and what it was trained to see."""
