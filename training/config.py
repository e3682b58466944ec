"""Every number of the recipe, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """SRVGGNetCompact of the realesrgan package: plain 3x3 convolutions with PReLU."""

    num_feat: int = 64
    num_conv: int = 11
    scale: int = 4


@dataclass(frozen=True)
class Degradation:
    """How a sharp photo becomes a bad one; probabilities 0..1, sigmas in pixels or levels.

    ``clean`` of the samples are only made smaller, so that a good photo stays as it is. The rest,
    after ``clean`` and ``ordinary``, gets each of the others by its own probability.
    """

    clean: float = 0.18
    ordinary: float = 0.5
    """The share that is worn as most photos are: all of the ``ordinary_`` below, and no more."""
    ordinary_blur_sigma_px: tuple[float, float] = (0.0, 2.4)
    ordinary_noise_sigma: tuple[float, float] = (0.0, 10.0)
    ordinary_quality: tuple[int, int] = (45, 92)
    area_downscale: float = 0.6
    """The share made smaller by averaging, as cameras and good software do."""
    blur: float = 0.7
    blur_sigma_px: tuple[float, float] = (0.3, 2.8)
    """On the large picture, before it is made smaller by ``scale``."""
    blur_kinds: tuple[tuple[str, float], ...] = (
        ("isotropic", 0.7),
        ("anisotropic", 0.14),
        ("motion", 0.08),
        ("defocus", 0.08),
    )
    halo: float = 0.08
    noise: float = 0.75
    noise_sigma: tuple[float, float] = (0.5, 15.0)
    gray_noise: float = 0.15
    poisson_noise: float = 0.2
    blotchy_noise: float = 0.12
    """The share of noise whose grains are wider than a pixel, as cameras' own denoising and
    scanners leave it."""
    blotch_sigma_px: tuple[float, float] = (0.5, 1.5)
    compress: float = 0.8
    webp: float = 0.12
    quality: tuple[int, int] = (35, 97)
    second_pass: float = 0.15
    """The share that is resized, made noisy and compressed once more, on the small picture."""


@dataclass(frozen=True)
class Config:
    """The training run. ``patch_px`` is a side of the small picture."""

    architecture: Architecture = Architecture()
    degradation: Degradation = Degradation()
    seed: int = 20261124
    patch_px: int = 64
    """Much wider than the receptive field of 27, so that most pixels see all that they can."""
    batch: int = 8
    bfloat16: bool = True
    """Convolutions multiply in bfloat16: twice as fast on a processor that has it."""
    learning_rate: float = 5e-4
    warm_up_steps: int = 200
    cool_down: float = 1.0
    """The last part of a run's budget, in which the learning rate falls."""
    betas: tuple[float, float] = (0.9, 0.99)
    ema: float = 0.999
    colour_weight: float = 0.15
    """Of the squared error of the colours beside that of luma: what eyes see most counts most."""
    clip_norm: float = 1.0
    validation_every: int = 13
    """Each n-th photo by name is kept aside for the curve."""
    log_every: int = 100
    validate_every: int = 500
    checkpoint_minutes: float = 5.0
