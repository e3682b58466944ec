"""Real-ESRGAN's networks, the built-in one, and upscalers that people bring themselves."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from photoenhance_ui.catalogue import Architecture, WeightFile
from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.basicsr_repair import repair
from photoenhance_ui.networks.device import Placement
from photoenhance_ui.networks.interfaces import Upscaler
from photoenhance_ui.networks.state_dicts import damaged, fill, load_state_dict, read_metadata
from photoenhance_ui.networks.tensors import to_pixels, to_tensor
from photoenhance_ui.photo import Pixels
from photoenhance_ui.weights import Installed

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

    def _module(self, denoise: float) -> nn.Module:  # noqa: ARG002 - only blends differ by it
        return self._network


class BlendedUpscaler(TorchUpscaler):
    """Two networks of one shape, blended weight by weight by the strength of denoising.

    Deep network interpolation (Wang et al., CVPR 2019), as Real-ESRGAN uses it for
    realesr-general-x4v3: ``denoise * general + (1 - denoise) * wdn``.
    """

    def __init__(
        self,
        name: str,
        scale: int,
        build: Callable[[], nn.Module],
        ends: tuple[dict[str, Tensor], dict[str, Tensor]],
        placement: Placement,
    ) -> None:
        self._build = build
        self._strong, self._weak = ends
        self._blends: OrderedDict[float, nn.Module] = OrderedDict()
        super().__init__(name, scale, nn.Identity(), placement)

    def _module(self, denoise: float) -> nn.Module:
        if denoise not in self._blends:
            network = self._build()
            network.load_state_dict(
                {
                    key: denoise * strong + (1 - denoise) * self._weak[key]
                    for key, strong in self._strong.items()
                }
            )
            self._blends[denoise] = self._placement.settle(network)
        self._blends.move_to_end(denoise)
        if len(self._blends) > BLENDS_KEPT:
            self._blends.popitem(last=False)
        return self._blends[denoise]


def pad_to_multiple(images: Pixels, multiple: int) -> Pixels:
    """Make both sides divisible by reflecting at the right and lower border.

    Reflecting needs a second row or column; where there is none the only one is repeated.
    """
    short = [-length % multiple for length in images.shape[1:3]]
    if not any(short):
        return images
    padded = images
    for axis, missing in enumerate(short, start=1):
        mode = "reflect" if images.shape[axis] > missing else "edge"
        widths = [(0, missing if each == axis else 0) for each in range(4)]
        padded = np.pad(padded, widths, mode=mode)  # type: ignore[call-overload]
    return padded


def load_upscaler(found: Installed, companion: Installed | None, placement: Placement) -> Upscaler:
    """Build the upscaler of an installed file. Raises WeightsDamaged."""
    if found.known is None:
        if found.path.suffix == ".safetensors" and "num_conv" in read_metadata(found.path):
            return _load_builtin(found, placement)
        return _load_own(found, placement)
    state = load_state_dict(found.path)
    build = _builder(found.known)
    scale = found.known.scale or 1
    if companion is not None:
        ends = (state, load_state_dict(companion.path))
        fill(build(), ends[0], found.path)  # a wrong file shows itself now, not at a photo
        fill(build(), ends[1], companion.path)
        return BlendedUpscaler(found.name, scale, build, ends, placement)
    network = placement.settle(fill(build(), state, found.path))
    # A x2 RRDBNet begins by folding 2x2 pixels into channels.
    multiple = 2 if found.known.architecture is Architecture.RRDB and scale == 2 else 1
    return TorchUpscaler(found.name, scale, network, placement, multiple)


def _builder(known: WeightFile) -> Callable[[], nn.Module]:
    assert known.scale is not None and known.blocks is not None
    scale, blocks = known.scale, known.blocks
    if known.architecture is Architecture.RRDB:
        return lambda: _rrdb(scale, blocks)
    return lambda: _srvgg(64, blocks, scale)


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


def _load_builtin(found: Installed, placement: Placement) -> Upscaler:
    """The embedded network tells its own shape, so that it can be retrained at another."""
    shape = read_metadata(found.path)
    try:
        scale = int(shape["scale"])
        network = _srvgg(int(shape["num_feat"]), int(shape["num_conv"]), scale)
    except Exception as error:  # a person's own file may say anything
        raise damaged(found.path) from error
    network = fill(network, load_state_dict(found.path), found.path)
    return TorchUpscaler(found.name, scale, placement.settle(network), placement)


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
