"""An upscaler's file -> its weights, and which of Real-ESRGAN's architectures they belong to.

Told by the names and shapes of the weights alone, so that a person's own file of one of these
architectures is computed like the published ones.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from photoenhance_ui.catalogue import Architecture
from photoenhance_ui.networks.architectures import entry_of
from photoenhance_ui.networks.shapes import FEATURES, Shapes, rrdb_shapes, srvgg_shapes
from photoenhance_ui.networks.state_dicts import damaged, floats_of, load_arrays
from photoenhance_ui.weights.inventory import Installed

Weights = Mapping[str, NDArray[np.float32]]

OTHER_NAMES = (
    # ESRGAN as its authors first published it.
    (re.compile(r"^model\.0\."), "conv_first."),
    (re.compile(r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\."), r"body.\1.rdb\2.conv\3."),
    (re.compile(r"^model\.1\.sub\.\d+\.(weight|bias)$"), r"conv_body.\1"),
    (re.compile(r"^model\.3\."), "conv_up1."),
    (re.compile(r"^model\.6\."), "conv_up2."),
    (re.compile(r"^model\.8\."), "conv_hr."),
    (re.compile(r"^model\.10\."), "conv_last."),
    # BSRGAN, and ESRGAN's second form.
    (re.compile(r"^RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)\."), r"body.\1.rdb\2.conv\3."),
    (re.compile(r"^trunk_conv\."), "conv_body."),
    (re.compile(r"^upconv(\d)\."), r"conv_up\1."),
    (re.compile(r"^HRconv\."), "conv_hr."),
)
"""What RRDBNet's layers are called in files that do not call them as Real-ESRGAN does."""


MAX_OWN_SCALE, MAX_OWN_FEATURES = 16, 256
"""Bounds of a person's own SRVGGNetCompact; published ones have 8 and 64 at most.

A few megabytes of weights can make thousands of channels at the photo's full size.
"""


@dataclass(frozen=True, eq=False)
class UpscalerWeights:
    """The weights of one network, or of two between which ``denoise`` chooses."""

    architecture: Architecture
    scale: int
    ends: tuple[Weights, ...]

    @property
    def multiple(self) -> int:
        """What the sides of a picture must be divisible by."""
        return KINDS[self.architecture].multiple(self.scale)


class Kind(NamedTuple):
    """How files of one architecture of upscalers are told from others."""

    shapes: Callable[[int, int], Shapes]
    """What a file must hold, for its number of blocks and its scale."""
    scale_of: Callable[[Weights], int | None]
    """The scale of a file's weights; None where they are those of another architecture."""
    multiple: Callable[[int], int]
    """What the sides of a picture must be divisible by at a scale."""


def read_upscaler(found: Installed, companion: Installed | None) -> UpscalerWeights | None:
    """The weights of an installed file, with those of its companion where it has one.

    None for a person's own file of another architecture. Raises ArchitectureUnknown where a known
    file is of another one, and WeightsDamaged where a file cannot be read, or a known one holds
    another network than its name says.
    """
    if found.known is None:
        own = _with_usual_names(floats_of(load_arrays(found.path)))
        kind = _kind_of(own)
        if kind is not None and (_outgrows(own, kind[1])):
            raise damaged(found.path, "it takes more computing than networks of its kind")
        return None if kind is None else UpscalerWeights(*kind, (own,))
    expected, scale = _shapes_of(found), found.known.scale
    assert scale is not None
    ends = [_checked(floats_of(load_arrays(found.path)), expected, found.path)]
    if companion is not None:
        ends.append(_checked(floats_of(load_arrays(companion.path)), expected, companion.path))
    return UpscalerWeights(found.known.architecture, scale, tuple(ends))


def _outgrows(weights: Weights, scale: int) -> bool:
    return scale > MAX_OWN_SCALE or _outputs(weights, "body.0") > MAX_OWN_FEATURES


def _kind_of(weights: Weights) -> tuple[Architecture, int] | None:
    """The architecture and its scale; None where the weights are those of no kind here."""
    for architecture, kind in KINDS.items():
        if (scale := kind.scale_of(weights)) is not None:
            return architecture, scale
    return None


def _rrdb_scale(weights: Weights) -> int | None:
    shapes = _shapes(weights)
    blocks = sum(bool(re.fullmatch(r"body\.\d+\.rdb1\.conv1\.weight", name)) for name in shapes)
    return next((scale for scale in (2, 4) if shapes == rrdb_shapes(blocks, scale)), None)


def _srvgg_scale(weights: Weights) -> int | None:
    shapes = _shapes(weights)
    convolutions = sum(len(shape) == 4 for shape in shapes.values())
    features = _outputs(weights, "body.0")
    scale = round((_outputs(weights, f"body.{2 * (convolutions - 1)}") / 3) ** 0.5)
    if min(convolutions - 1, features, scale) < 1:
        return None
    return scale if shapes == srvgg_shapes(features, convolutions - 2, scale) else None


def _outputs(weights: Weights, convolution: str) -> int:
    """How many channels a convolution gives; 0 where there is none of that name."""
    weight = weights.get(f"{convolution}.weight")
    return weight.shape[0] if weight is not None and weight.ndim == 4 else 0


def _shapes_of(found: Installed) -> Shapes:
    """What a known file must hold."""
    kind = entry_of(KINDS, found.architecture)
    assert found.known is not None
    scale, blocks = found.known.scale, found.known.blocks
    assert scale is not None and blocks is not None
    return kind.shapes(blocks, scale)


def _checked(weights: Weights, expected: Shapes, path: Path) -> Weights:
    if _shapes(weights) != expected:
        raise damaged(path)
    return weights


def _shapes(weights: Weights) -> Shapes:
    return {name: value.shape for name, value in weights.items()}


def _with_usual_names(weights: Weights) -> Weights:
    return {_usual_name(name): value for name, value in weights.items()}


def _usual_name(name: str) -> str:
    for other, usual in OTHER_NAMES:
        renamed, count = other.subn(usual, name)
        if count:
            return renamed
    return name


KINDS: Mapping[Architecture, Kind] = {
    # A x2 RRDBNet folds 2x2 pixels into channels.
    Architecture.RRDB: Kind(rrdb_shapes, _rrdb_scale, lambda scale: 2 if scale == 2 else 1),
    Architecture.SRVGG: Kind(partial(srvgg_shapes, FEATURES), _srvgg_scale, lambda _: 1),
}
"""The architectures of upscalers whose files are known by their weights alone."""
