"""What will be done to one photo, worked out purely from the photo, its Request and the facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from photoenhance_ui.errors import NetworkMissing, PhotoEnhanceError
from photoenhance_ui.geometry import Size, Tile, even_tiles_of, tiles_of
from photoenhance_ui.request import AUTO, BUILTIN, RESAMPLE_ONLY, Faces, Precision, Request
from photoenhance_ui.settings import TILE_LADDER_PX

OVERLAP_PX = 32  # most context around a tile; beyond it the networks' answers hardly change
FACE_OPERATIONS = 432e9
"""Multiply-adds of GFPGAN and ParseNet for one face."""
CPU_TILE_OPERATIONS = 0.7e12
"""Multiply-adds of a tile: a few seconds on two cores."""

CPU_UPSCALERS = ("realesr-general-x4v3", BUILTIN)
GPU_UPSCALERS = (
    "RealESRGAN_x2plus", "RealESRGAN_x4plus", "realesr-general-x4v3", BUILTIN,
)  # fmt: skip
"""What ``auto`` takes, best first. A CPU gets the networks it can run while somebody waits."""


@dataclass(frozen=True)
class UpscalerFacts:
    """What a plan needs to know of an installed upscaler."""

    scale: int
    companion: str | None = None
    """The network that it is blended with for the Request's ``denoise``; None: no such choice."""
    operations_per_pixel: float = 1e6
    """Multiply-adds for each pixel of the photo."""
    overlap_px: int = OVERLAP_PX
    """Context that a tile needs on each side."""


@dataclass(frozen=True)
class EngineFacts:
    """What an engine has and can do, as plain values that pickle."""

    device: str
    """"cpu", "cuda" or "mps"."""
    device_name: str
    upscalers: Mapping[str, UpscalerFacts]
    detector: str | None = None
    restorer: str | None = None
    parser: str | None = None
    default_precision: str = Precision.EXACT.value
    """What a request's ``auto`` means."""
    tile_px: int | None = None
    """The side of a tile where the settings fix it; None: it depends on network and device."""
    max_output_pixels: int = 256_000_000
    weights_warnings: Mapping[str, str] = field(default_factory=dict)
    """A sentence for each network that every report which used it must carry."""
    refused: Mapping[str, PhotoEnhanceError] = field(default_factory=dict)
    """Why a file does not load, by its name."""
    tiles_at_once: int = 1
    """Equally large tiles that the device computes in one batch."""
    faces_at_once: int = 1
    looking: bool = False
    """Whether files are still being looked through, so that only some networks are known yet."""


@dataclass(frozen=True)
class Choice:
    """The networks of a batch: what ``auto`` means, settled once when the batch begins.

    So a download that finishes does not change networks in a batch's middle.
    """

    upscaler: str
    detector: str | None
    restorer: str | None
    parser: str | None


@dataclass(frozen=True)
class Plan:
    """Everything that will be done to one photo."""

    source: Size
    output: Size
    scale: float
    """What the person gets: the asked scale, lowered where the result would be too large."""
    upscaler: str | None
    """The network that enlarges; None: the background is only resampled."""
    companion: str | None
    """The other end of the upscaler's denoising, where it has one."""
    network_scale: int
    denoise: float
    """The strength of denoising; 1 where there is no companion.

    So a companion that arrives while tiles are computed changes none of them.
    """
    tiles: tuple[Tile, ...]
    faces: Faces
    """Which faces are restored; NONE where no face network is to run."""
    detector: str | None
    restorer: str | None
    parser: str | None
    face_strength: float
    precision: str
    warnings: tuple[str, ...] = ()
    tiles_at_once: int = 1
    """Equally large tiles that one piece of work may hold."""
    faces_at_once: int = 1

    @property
    def reduction(self) -> int:
        """The whole factor by which the network's result is made smaller tile by tile; 1: none."""
        by = round(self.network_scale / self.scale)
        whole = self.source.scaled(self.network_scale)
        reduced = (self.output.width * by, self.output.height * by)
        return by if by > 1 and reduced == (whole.width, whole.height) else 1

    @property
    def kept_size(self) -> Size:
        """The size at which tiles are put together."""
        whole = self.source.scaled(self.network_scale)
        return Size(whole.width // self.reduction, whole.height // self.reduction)

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that will run."""
        names = (self.upscaler, self.companion, self.detector, self.restorer, self.parser)
        return tuple(name for name in names if name is not None)


def choose_networks(upscaler: str, scale: float, facts: EngineFacts) -> Choice:
    """Settle what ``auto`` means. A name that is not installed stays, and fails its photos."""
    if upscaler == AUTO:
        upscaler = _best_upscaler(scale, facts)
    return Choice(upscaler, facts.detector, facts.restorer, facts.parser)


def _best_upscaler(scale: float, facts: EngineFacts) -> str:
    ranking = CPU_UPSCALERS if facts.device == "cpu" else GPU_UPSCALERS
    installed = [name for name in ranking if name in facts.upscalers]
    if not installed:
        return RESAMPLE_ONLY
    largest = max(facts.upscalers[name].scale for name in installed)
    needed = min(scale, largest)
    return next(name for name in installed if facts.upscalers[name].scale >= needed)


def make_plan(
    source: Size,
    request: Request,
    choice: Choice,
    facts: EngineFacts,
    *,
    runs_fast: bool = False,
    tile_px: int | None = None,
    overlap_px: int | None = None,
) -> Plan:
    """Plan one photo. Raises NetworkMissing where the named upscaler is not installed.

    ``runs_fast`` tells that the upscaler has a fast form here that is proven; ``tile_px``
    takes the place of the facts'; ``overlap_px`` asks for the reference's tiling with it.
    """
    upscaler = _upscaler_facts(choice.upscaler, facts)
    warnings: list[str] = []
    scale = _allowed_scale(source, request.scale, facts.max_output_pixels, warnings)
    faces = _possible_faces(request, choice, warnings)
    with_faces = faces is not Faces.NONE
    precision = _possible_precision(request, choice, facts, runs_fast, warnings)
    companion = None if upscaler is None else upscaler.companion
    if companion is None and request.denoise != Request.denoise:
        what = "Resampling" if upscaler is None else choice.upscaler
        warnings.append(f"{what} has no adjustable denoising; denoise had no effect.")
    plan = Plan(
        source=source,
        output=source.scaled(scale),
        scale=scale,
        upscaler=None if upscaler is None else choice.upscaler,
        companion=companion,
        network_scale=1 if upscaler is None else upscaler.scale,
        denoise=1.0 if companion is None else request.denoise,
        tiles=_tiles(source, upscaler, facts, tile_px, overlap_px),
        faces=faces,
        detector=choice.detector if with_faces else None,
        restorer=choice.restorer if with_faces else None,
        parser=choice.parser if with_faces else None,
        face_strength=request.face_strength,
        precision=precision,
        tiles_at_once=facts.tiles_at_once,
        faces_at_once=facts.faces_at_once,
    )
    told = [facts.weights_warnings[n] for n in plan.networks if n in facts.weights_warnings]
    return replace(plan, warnings=(*warnings, *told))


def operations(source: Size, choice: Choice, request: Request, facts: EngineFacts) -> float:
    """Multiply-adds that a photo will about need, for taking turns; faces are not known yet."""
    upscaler = facts.upscalers.get(choice.upscaler)
    background = 0.0 if upscaler is None else source.pixels * upscaler.operations_per_pixel
    with_faces = request.faces is not Faces.NONE and choice.detector and choice.restorer
    return source.pixels + background + (FACE_OPERATIONS if with_faces else 0.0)


def _tiles(
    source: Size,
    upscaler: UpscalerFacts | None,
    facts: EngineFacts,
    tile_px: int | None,
    overlap_px: int | None,
) -> tuple[Tile, ...]:
    if upscaler is None:
        return ()
    side = tile_px or facts.tile_px or tile_px_for(upscaler, facts.device)
    if overlap_px is not None:
        return tiles_of(source, side, overlap_px)
    return even_tiles_of(source, side, upscaler.overlap_px)


def tile_px_for(upscaler: UpscalerFacts, device: str) -> int:
    """The largest tile of the ladder that a CPU computes soon enough for a cancel to be felt."""
    if device != "cpu":
        return TILE_LADDER_PX[0]
    most_pixels = CPU_TILE_OPERATIONS / upscaler.operations_per_pixel
    fitting = (px for px in TILE_LADDER_PX if px * px <= most_pixels)
    return next(fitting, TILE_LADDER_PX[-1])


def _upscaler_facts(name: str, facts: EngineFacts) -> UpscalerFacts | None:
    if name == RESAMPLE_ONLY:
        return None
    if (refusal := facts.refused.get(name)) is not None:
        raise type(refusal)(refusal.sentence)
    if name not in facts.upscalers:
        there = ", ".join(sorted(facts.upscalers)) or "none"
        raise NetworkMissing(
            f"The upscaler {name!r} is not installed. Installed: {there}. "
            "Choose one of them or auto, or download it first."
        )
    return facts.upscalers[name]


def _allowed_scale(source: Size, scale: float, most_pixels: int, warnings: list[str]) -> float:
    if source.scaled(scale).pixels <= most_pixels:
        return scale
    lowered = (most_pixels / source.pixels) ** 0.5
    lowered = int(lowered * 100) / 100  # two digits, rounded down, for the sentence below
    warnings.append(
        f"Scale {scale:g} would give more than {most_pixels / 1e6:g} megapixels; "
        f"{lowered:g} was used."
    )
    return lowered


def _possible_faces(request: Request, choice: Choice, warnings: list[str]) -> Faces:
    if not has_face_work(request):
        return Faces.NONE
    missing = [
        role
        for role, name in (("finds", choice.detector), ("restores", choice.restorer))
        if name is None
    ]
    if not missing:
        return request.faces
    warnings.append(
        f"No network that {' and '.join(missing)} faces is installed; "
        "faces were enlarged like everything else."
    )
    return Faces.NONE


def has_face_work(request: Request) -> bool:
    """Whether the request is for restored faces, where there are networks for them."""
    return request.faces is not Faces.NONE and request.face_strength > 0


def wants_fast(request: Request, facts: EngineFacts) -> bool:
    """Whether the request is for the fast form, where there is one."""
    if request.precision is Precision.AUTO:
        return facts.default_precision == Precision.FAST.value
    return request.precision is Precision.FAST


def _possible_precision(
    request: Request, choice: Choice, facts: EngineFacts, runs_fast: bool, warnings: list[str]
) -> str:
    if not wants_fast(request, facts):
        return Precision.EXACT.value
    if runs_fast:
        return Precision.FAST.value
    if request.precision is Precision.FAST:
        what = "Resampling" if choice.upscaler == RESAMPLE_ONLY else choice.upscaler
        warnings.append(f"{what} has no fast form here that is near enough; exact was used.")
    return Precision.EXACT.value
