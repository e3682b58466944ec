"""What a person asks for: the Request, its options, and the presets that fill them in."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from photoenhance_ui.errors import InvalidOption, quoted
from photoenhance_ui.options import Option, built, flat, option_field, options_of

MIN_SCALE = 1.0
MAX_SCALE = 8.0
MAX_NAME_CHARACTERS = 200
AUTO = "auto"
"""The best upscaler of those installed, chosen once for a batch."""
BUILTIN = "builtin"
"""The upscaler that comes with the program."""
RESAMPLE_ONLY = "none"
"""No background network: the photo is enlarged by resampling, only faces are restored."""


class Faces(StrEnum):
    """Which of the found faces are restored."""

    ALL = "all"
    LARGEST = "largest"
    NONE = "none"


class Precision(StrEnum):
    """How exactly the networks are computed."""

    AUTO = "auto"
    EXACT = "exact"
    FAST = "fast"


class OutputFormat(StrEnum):
    """The format of the written file; ``same`` is that of the input."""

    SAME = "same"
    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    TIFF = "tiff"
    AVIF = "avif"


@dataclass(frozen=True)
class Saving:
    """How a result is written. Immutable; raises InvalidOption for impossible values."""

    output_format: OutputFormat = option_field(OutputFormat.SAME, "The format of the result.")
    quality: int = option_field(
        95,
        "Quality of JPEG, WebP and AVIF files; has no meaning for the lossless formats.",
        lowest=1, highest=100, step=1,
    )  # fmt: skip
    keep_metadata: bool = option_field(
        True, "Keep EXIF (camera, time, place) and XMP. The colour profile is always kept."
    )

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class Request:
    """What is to be done to a photo. Immutable; raises InvalidOption for impossible values.

    The doors know neither this nesting nor these classes: for them all options are one flat
    mapping, which ``from_options`` takes and ``as_options`` gives.
    """

    scale: float = option_field(
        2.0,
        "How many times as wide and as high the result is; fractions are allowed.",
        lowest=MIN_SCALE, highest=MAX_SCALE, step=0.5,
    )  # fmt: skip
    upscaler: str = option_field(
        AUTO,
        "The network for everything but faces: `auto`, `builtin`, a known name, the stem of a "
        "file of your own in the weights folder, or `none` to resample only.",
    )
    faces: Faces = option_field(Faces.ALL, "Which faces are restored.")
    face_strength: float = option_field(
        0.8,
        "How much of each restored face is blended in: 0 nothing, 1 all of it.",
        lowest=0.0, highest=1.0, step=0.05,
    )  # fmt: skip
    denoise: float = option_field(
        0.5,
        "How strongly noise is removed: 0 keeps it, 1 removes most. "
        "Works with `realesr-general-x4v3`.",
        lowest=0.0, highest=1.0, step=0.05,
    )  # fmt: skip
    precision: Precision = option_field(
        Precision.AUTO,
        "`exact` computes in 32 bits. `fast` computes in 8 or 16 bits, where that is measured to "
        "be near enough. `auto` takes `fast` where it can.",
    )
    saving: Saving = field(default_factory=Saving)

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Request":
        """Build a Request from a mapping as the doors get it; unknown names are refused."""
        known = {option.name for option in OPTIONS}
        unknown = sorted(set(options) - known)
        if unknown:
            raise InvalidOption(
                f"There is no option named {quoted(unknown[0])}; "
                f"there are: {', '.join(sorted(known))}."
            )
        return built(cls, options)

    def as_options(self) -> dict[str, Any]:
        """Every option by its name, as ``from_options`` takes it."""
        return flat(self)


OPTIONS = options_of(Request)
SAVING_OPTIONS = options_of(Saving)


def _check(chosen: Request | Saving) -> None:
    """Let every option be of its kind, or raise InvalidOption."""
    kind: type = type(chosen)
    for option in options_of(kind):
        if option.name in vars(chosen):  # those of a Saving were checked when it was made
            checked = _checked(option, getattr(chosen, option.name))
            object.__setattr__(chosen, option.name, checked)


def _checked(option: Option, value: Any) -> Any:
    """``value`` as the option's kind, or InvalidOption with a sentence."""
    if option.choices:
        return _chosen(option, value)
    if option.kind is bool:
        if not isinstance(value, bool):
            raise InvalidOption(f"{option.name} is yes or no (true or false), not {quoted(value)}.")
        return value
    if option.kind is str:
        if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_NAME_CHARACTERS:
            raise InvalidOption(f"{option.name} must be a name, not {quoted(value)}.")
        return value.strip()
    return _number(option, value)


def _chosen(option: Option, value: Any) -> Any:
    if value not in option.choices:
        raise InvalidOption(
            f"{option.name} must be one of {', '.join(option.choices)}, not {quoted(value)}."
        )
    return option.kind(value)


def _number(option: Option, value: Any) -> int | float:
    lowest, highest = option.lowest, option.highest
    assert lowest is not None and highest is not None
    message = f"{option.name} must be a number from {lowest:g} to {highest:g}, not {quoted(value)}."
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidOption(message)
    if not lowest <= value <= highest:  # also where it is not a number
        raise InvalidOption(message)
    if option.kind is int:
        if value != int(value):
            raise InvalidOption(f"{option.name} must be a whole number, not {quoted(value)}.")
        return int(value)
    return float(value)


PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "everyday": MappingProxyType({}),
        "portrait": MappingProxyType({"face_strength": 1.0}),
        "old photo": MappingProxyType({"face_strength": 0.7, "denoise": 0.8}),
        "illustration": MappingProxyType(
            {"scale": 4.0, "faces": Faces.NONE, "upscaler": "RealESRGAN_x4plus_anime_6B"}
        ),
        "fast": MappingProxyType(
            {"upscaler": BUILTIN, "faces": Faces.NONE, "precision": Precision.FAST}
        ),
    }
)
"""Presets fill a person's options and leave the others at their defaults."""


def preset_options(name: str, installed_upscalers: Collection[str]) -> dict[str, Any]:
    """The options that the preset ``name`` fills in on this machine.

    A preset prefers an upscaler; where that one is not installed, the choice stays ``auto``.
    """
    if name not in PRESETS:
        raise InvalidOption(
            f"There is no preset named {quoted(name)}; there are: {', '.join(PRESETS)}."
        )
    options = {**{option.name: option.default for option in OPTIONS}, **PRESETS[name]}
    if options["upscaler"] not in (AUTO, RESAMPLE_ONLY, *installed_upscalers):
        options["upscaler"] = AUTO
    return options
