"""Upscalers in torch: Real-ESRGAN's networks, the built-in one, and those that people bring."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.architectures import entry_of
from photoenhance_ui.networks.on_torch.architectures import UPSCALERS, module_of
from photoenhance_ui.networks.on_torch.growth import no_larger_than
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.tensors import to_pixels, to_tensor
from photoenhance_ui.networks.padding import pad_to_multiple
from photoenhance_ui.networks.state_dicts import interpolated, load_arrays
from photoenhance_ui.networks.upscaler_weights import (
    MAX_OWN_SCALE,
    UpscalerWeights,
    Weights,
    read_upscaler,
)
from photoenhance_ui.photo import Pixels
from photoenhance_ui.pipeline.contracts import Upscaler
from photoenhance_ui.weights.inventory import Installed

BLENDS_KEPT = 4  # a few megabytes each; people rarely use more strengths at a time


class TorchUpscaler:
    """An upscaler that is one torch module taking and giving 0..1."""

    def __init__(
        self, name: str, scale: int, network: nn.Module, placement: Placement, multiple: int = 1
    ) -> None:
        """``network`` may lie anywhere, in any type: it is moved to where it is to be."""
        self.name = name
        self.scale = scale
        self._plain = network
        self._network = placement.settle(network)
        self._placement = placement
        self._multiple = multiple

    @torch.inference_mode()
    def __call__(self, images: Pixels, denoise: float) -> Pixels:
        """(N, H, W, 3) -> (N, H*scale, W*scale, 3), same depth."""
        height, width = images.shape[1:3]
        padded = pad_to_multiple(images, self._multiple)
        output = self._module(denoise)(to_tensor(padded, self._placement))
        output = output[:, :, : height * self.scale, : width * self.scale]
        return to_pixels(output, images, self.name)

    @property
    def operations_per_pixel(self) -> float:
        """The number of weights: right where all is computed at the photo's size."""
        return float(sum(value.numel() for value in self._network.parameters()))

    @property
    def receptive_px(self) -> int | None:
        """None, as the module may be any."""
        return None

    @property
    def is_blended(self) -> bool:
        """Whether denoising has an effect."""
        return False

    def in_type(self, dtype: torch.dtype) -> "TorchUpscaler":
        """The same network in another floating-point type."""
        placement = self._placement.in_type(dtype)
        plain = copy.deepcopy(self._plain)
        return TorchUpscaler(self.name, self.scale, plain, placement, self._multiple)

    def _module(self, denoise: float) -> nn.Module:  # noqa: ARG002 - only blends differ by it
        return self._network


class BlendedUpscaler(TorchUpscaler):
    """Two networks of one shape, blended weight by weight by the strength of denoising.

    ``build`` makes a module of weights.
    """

    def __init__(
        self,
        name: str,
        scale: int,
        build: Callable[[Weights], nn.Module],
        ends: tuple[Weights, Weights],
        placement: Placement,
    ) -> None:
        self._build = build
        self._ends = ends
        self._blends: OrderedDict[float, nn.Module] = OrderedDict()
        super().__init__(name, scale, nn.Identity(), placement)

    @property
    def operations_per_pixel(self) -> float:
        """The number of weights of either network."""
        return float(sum(value.size for value in self._ends[0].values()))

    @property
    def is_blended(self) -> bool:
        """Whether denoising has an effect."""
        return True

    def in_type(self, dtype: torch.dtype) -> "BlendedUpscaler":
        """The same network in another floating-point type."""
        placement = self._placement.in_type(dtype)
        return BlendedUpscaler(self.name, self.scale, self._build, self._ends, placement)

    def _module(self, denoise: float) -> nn.Module:
        if denoise not in self._blends:
            network = self._build(interpolated(*self._ends, denoise))
            self._blends[denoise] = self._placement.settle(network)
        self._blends.move_to_end(denoise)
        if len(self._blends) > BLENDS_KEPT:
            self._blends.popitem(last=False)
        return self._blends[denoise]


def load_upscaler(found: Installed, companion: Installed | None, placement: Placement) -> Upscaler:
    """Build the upscaler of an installed file. Raises ArchitectureUnknown and WeightsDamaged."""
    read = read_upscaler(found, companion)
    return _load_own(found, placement) if read is None else _load_known(found, read, placement)


def _load_known(found: Installed, read: UpscalerWeights, placement: Placement) -> Upscaler:
    build = partial(_module, read, path=found.path)
    if len(read.ends) == 2:
        first, second = read.ends
        return BlendedUpscaler(found.name, read.scale, build, (first, second), placement)
    return TorchUpscaler(found.name, read.scale, build(read.ends[0]), placement, read.multiple)


def _module(read: UpscalerWeights, weights: Weights, path: Path) -> nn.Module:
    return module_of(entry_of(UPSCALERS, read.architecture), dict(weights), path)


def _load_own(found: Installed, placement: Placement) -> Upscaler:
    """Build whatever upscaler spandrel knows. It is given weights, never the file."""
    import spandrel

    arrays = load_arrays(found.path)
    try:
        with no_larger_than(sum(value.size for value in arrays.values())):
            state = {name: torch.from_numpy(value) for name, value in arrays.items()}
            model = spandrel.ModelLoader(device="cpu").load_from_state_dict(
                spandrel.canonicalize_state_dict(state)
            )
    except Exception as error:
        raise _not_an_upscaler(found.path) from error
    is_upscaler = (
        isinstance(model, spandrel.ImageModelDescriptor) and 1 <= model.scale <= MAX_OWN_SCALE
    )
    if not is_upscaler or model.purpose == "FaceSR":
        raise _not_an_upscaler(found.path)
    if (model.input_channels, model.output_channels) != (3, 3):
        raise _not_an_upscaler(found.path)
    multiple = max(1, model.size_requirements.multiple_of)
    return TorchUpscaler(found.name, model.scale, _Called(model), placement, multiple)


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
