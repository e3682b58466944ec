"""Real-ESRGAN's networks, the built-in one, and upscalers that people bring: files to upscalers."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.interfaces import Upscaler
from photoenhance_ui.networks.on_openvino import graphs
from photoenhance_ui.networks.on_openvino.compiled import CompiledUpscaler
from photoenhance_ui.networks.on_torch.basicsr_repair import repair
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.tensors import to_pixels, to_tensor
from photoenhance_ui.networks.padding import pad_to_multiple
from photoenhance_ui.networks.shapes import Shapes, rrdb_shapes, srvgg_shapes
from photoenhance_ui.networks.state_dicts import (
    as_arrays,
    damaged,
    fill,
    interpolated,
    load_state_dict,
    read_metadata,
)
from photoenhance_ui.photo import Pixels
from photoenhance_ui.weights import Installed

MOST_CONVOLUTIONS = 1000  # that a file may claim to have
BLENDS_KEPT = 4  # a few megabytes each; people rarely use more strengths at a time


class TorchUpscaler:
    """An upscaler that is one torch module taking and giving 0..1."""

    def __init__(
        self, name: str, scale: int, network: nn.Module, placement: Placement, multiple: int = 1
    ) -> None:
        self.name = name
        self.scale = scale
        self._network = network
        self._placement = placement
        self._multiple = multiple

    def __call__(self, images: Pixels, denoise: float) -> Pixels:
        """(N, H, W, 3) -> (N, H*scale, W*scale, 3), same depth."""
        height, width = images.shape[1:3]
        padded = pad_to_multiple(images, self._multiple)
        output = self._module(denoise)(to_tensor(padded, self._placement))
        output = output[:, :, : height * self.scale, : width * self.scale]
        return to_pixels(output, images, self.name)

    @property
    def operations_per_pixel(self) -> float:
        """Each weight once: right where all is computed at the photo's size."""
        return float(sum(value.numel() for value in self._network.parameters()))

    @property
    def receptive_px(self) -> int | None:
        """Unknown: the module may be any."""
        return None

    @property
    def is_blended(self) -> bool:
        """Whether denoising has an effect."""
        return False

    def _module(self, denoise: float) -> nn.Module:  # noqa: ARG002 - only blends differ by it
        return self._network


class BlendedUpscaler(TorchUpscaler):
    """Two networks of one shape, blended weight by weight by the strength of denoising."""

    def __init__(
        self,
        name: str,
        scale: int,
        build: Callable[[], nn.Module],
        ends: tuple[dict[str, Tensor], dict[str, Tensor]],
        placement: Placement,
    ) -> None:
        self._build = build
        self._ends = ends
        self._blends: OrderedDict[float, nn.Module] = OrderedDict()
        super().__init__(name, scale, nn.Identity(), placement)

    @property
    def is_blended(self) -> bool:
        """Whether denoising has an effect."""
        return True

    def _module(self, denoise: float) -> nn.Module:
        if denoise not in self._blends:
            network = self._build()
            network.load_state_dict(interpolated(*self._ends, denoise))
            self._blends[denoise] = self._placement.settle(network)
        self._blends.move_to_end(denoise)
        if len(self._blends) > BLENDS_KEPT:
            self._blends.popitem(last=False)
        return self._blends[denoise]


def load_upscaler(found: Installed, companion: Installed | None, placement: Placement) -> Upscaler:
    """Build the upscaler of an installed file in torch. Raises WeightsDamaged."""
    shape = _shape_of(found)
    if shape is None:
        return _load_own(found, placement)
    network, *others = _filled(shape, found, companion)
    if others:
        ends = (network.state_dict(), others[0].state_dict())
        return BlendedUpscaler(found.name, shape.scale, shape.build, ends, placement)
    return TorchUpscaler(
        found.name, shape.scale, placement.settle(network), placement, shape.multiple
    )


def compile_upscaler(found: Installed, companion: Installed | None) -> CompiledUpscaler | None:
    """Build it for the CPU; None where only torch knows how. Raises WeightsDamaged."""
    shape = _shape_of(found)
    if shape is None:
        return None
    paths = [found.path, *([companion.path] if companion is not None else [])]
    ends = tuple(_arrays_in(path, shape.weights) for path in paths)
    return CompiledUpscaler(
        found.name, shape.scale, shape.network, ends,
        multiple=shape.multiple, quantized_file=quantized_beside(found.path),
    )  # fmt: skip


def quantized_beside(weights: Path) -> Path:
    """Where the convolutions in 8 bits lie that come with a file: nobody's own network."""
    return weights.parent / "8bits" / weights.name


def _arrays_in(path: Path, expected: Shapes) -> dict[str, NDArray[np.float32]]:
    """The weights of a file; WeightsDamaged where they are not the network's."""
    state = load_state_dict(path)
    if {name: tuple(value.shape) for name, value in state.items()} != expected:
        raise damaged(path)
    return as_arrays(state)


@dataclass(frozen=True)
class _Shape:
    """One of Real-ESRGAN's architectures, in torch and as a graph."""

    scale: int
    build: Callable[[], nn.Module]
    network: graphs.Network
    weights: Shapes
    multiple: int = 1
    """Sides that are no multiple of it are padded."""


def _shape_of(found: Installed) -> _Shape | None:
    """The shape of a known file or of the built-in one; None for a person's own."""
    if found.known is None:
        is_built_in = found.path.suffix == ".safetensors" and "num_conv" in (
            told := read_metadata(found.path)
        )
        return _shape_told_by(told, found.path) if is_built_in else None
    scale, blocks = found.known.scale, found.known.blocks
    assert scale is not None and blocks is not None
    if found.known.architecture is Architecture.RRDB:
        # A x2 RRDBNet begins by folding 2x2 pixels into channels.
        multiple = 2 if scale == 2 else 1
        weights = rrdb_shapes(blocks, scale)
        return _Shape(scale, lambda: _rrdb(scale, blocks), graphs.rrdb(scale), weights, multiple)
    return _srvgg_shape(64, blocks, scale)


def _shape_told_by(told: Mapping[str, str], path: Path) -> _Shape:
    """The embedded network tells its own shape, so that it can be retrained at another."""
    try:
        scale, features, body = (int(told[k]) for k in ("scale", "num_feat", "num_conv"))
    except (KeyError, ValueError) as error:  # a person's own file may say anything
        raise damaged(path) from error
    if body > MOST_CONVOLUTIONS:
        raise damaged(path)
    return _srvgg_shape(features, body, scale)


def _srvgg_shape(features: int, convolutions: int, scale: int) -> _Shape:
    return _Shape(
        scale,
        lambda: _srvgg(features, convolutions, scale),
        graphs.srvgg(scale),
        srvgg_shapes(features, convolutions, scale),
    )


def _filled(shape: _Shape, found: Installed, companion: Installed | None) -> list[nn.Module]:
    """The network, and its companion where it has one; a wrong file shows itself now."""
    paths = [found.path, *([companion.path] if companion is not None else [])]
    return [fill(_built(shape, path), load_state_dict(path), path).eval() for path in paths]


def _built(shape: _Shape, path: Path) -> nn.Module:
    try:
        return shape.build()
    except Exception as error:  # a size that cannot be
        raise damaged(path) from error


def _rrdb(scale: int, blocks: int) -> nn.Module:
    repair()
    from basicsr.archs.rrdbnet_arch import RRDBNet

    return RRDBNet(3, 3, scale=scale, num_feat=64, num_block=blocks, num_grow_ch=32)


def _srvgg(features: int, convolutions: int, scale: int) -> nn.Module:
    repair()
    from realesrgan.archs.srvgg_arch import SRVGGNetCompact

    return SRVGGNetCompact(
        3, 3, num_feat=features, num_conv=convolutions, upscale=scale, act_type="prelu"
    )


def _load_own(found: Installed, placement: Placement) -> Upscaler:
    """Whatever upscaler spandrel knows; it unpickles by an allow-list."""
    import spandrel

    try:
        model = spandrel.ModelLoader(device="cpu").load_from_file(found.path)
    except Exception as error:
        raise _not_an_upscaler(found.path) from error
    is_upscaler = isinstance(model, spandrel.ImageModelDescriptor) and model.scale >= 1
    if not is_upscaler or model.purpose == "FaceSR":
        raise _not_an_upscaler(found.path)
    if (model.input_channels, model.output_channels) != (3, 3):
        raise _not_an_upscaler(found.path)
    network = placement.settle(_Called(model))
    multiple = max(1, model.size_requirements.multiple_of)
    return TorchUpscaler(found.name, model.scale, network, placement, multiple)


class _Called(nn.Module):
    """A spandrel descriptor as a plain module: it pads and cuts by itself where a network needs."""

    def __init__(self, model: object) -> None:
        super().__init__()
        self.module: nn.Module = model.model  # type: ignore[attr-defined]
        self._call = model

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self._call(images)  # type: ignore[operator]
        return output


def _not_an_upscaler(path: Path) -> WeightsDamaged:
    return WeightsDamaged(f"The file {path.name} holds no upscaler that is known here.")


def warm_up(upscaler: Upscaler) -> None:
    """One tiny picture, so that the first photo does not pay for lazy initialisation."""
    with torch.inference_mode():
        upscaler(np.zeros((1, 16, 16, 3), np.uint8), 0.5)
