"""From a sharp photo to a bad small one, as in life. All pictures are (H, W, 3) RGB uint8."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.config import Degradation

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

NO_BLUR_PX = 0.2  # a Gaussian as narrow leaves each pixel what it is
RESAMPLINGS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def degrade(sharp: Picture, scale: int, how: Degradation, chance: np.random.Generator) -> Picture:
    """One degraded version of ``sharp``, ``scale`` times smaller; sides must divide by it.

    The same generator state gives the same picture.
    """
    height, width = sharp.shape[:2]
    small = (width // scale, height // scale)
    picture = sharp.astype(np.float32)
    share = chance.random()
    if share < how.clean:
        return rounded(_downscaled(picture, small, how, chance))
    if share < how.clean + how.ordinary:
        return rounded(_ordinary(picture, small, how, chance))
    if chance.random() < how.blur:
        picture = _blurred(picture, how, chance)
    picture = _downscaled(picture, small, how, chance)
    if chance.random() < how.halo:
        picture = _with_halos(picture, chance)
    picture = _noisy_and_compressed(picture, how, chance)
    if chance.random() < how.second_pass:
        picture = _noisy_and_compressed(_resized_and_back(picture, chance), how, chance)
    return rounded(picture)


def _ordinary(
    picture: Floats, size: tuple[int, int], how: Degradation, chance: np.random.Generator
) -> Floats:
    """A little soft, averaged down, with fine noise in colour, and a JPEG."""
    sigma = chance.uniform(*how.ordinary_blur_sigma_px)
    if sigma > NO_BLUR_PX:
        picture = _floats(cv2.GaussianBlur(picture, (0, 0), sigma))
    picture = _floats(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    noise = chance.standard_normal(picture.shape, dtype=np.float32)
    picture = picture + np.float32(chance.uniform(*how.ordinary_noise_sigma)) * noise
    return _as_jpeg(picture, int(chance.integers(*how.ordinary_quality, endpoint=True)))


def rounded(picture: Floats) -> Picture:
    """Whole levels 0..255."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _floats(values: Any) -> Floats:
    """OpenCV and numpy widen types as they like; here everything stays at 32 bits."""
    return np.asarray(values, np.float32)


def _noisy_and_compressed(picture: Floats, how: Degradation, chance: np.random.Generator) -> Floats:
    if chance.random() < how.noise:
        picture = _noisy(picture, how, chance)
    if chance.random() < how.compress:
        picture = _compressed(picture, how, chance)
    return picture


def _downscaled(
    picture: Floats, size: tuple[int, int], how: Degradation, chance: np.random.Generator
) -> Floats:
    """Smaller by averaging, or by another kernel after a blur that keeps it from aliasing."""
    if chance.random() < how.area_downscale:
        return _floats(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    factor = picture.shape[1] / size[0]
    soft = cv2.GaussianBlur(picture, (0, 0), factor * chance.uniform(0.25, 0.45))
    kernel = int(chance.choice(RESAMPLINGS))
    return _floats(cv2.resize(soft, size, interpolation=kernel))


def _blurred(picture: Floats, how: Degradation, chance: np.random.Generator) -> Floats:
    kinds, weights = zip(*how.blur_kinds, strict=True)
    sigma = chance.uniform(*how.blur_sigma_px)
    match str(chance.choice(kinds, p=weights)):
        case "isotropic":
            return _floats(cv2.GaussianBlur(picture, (0, 0), sigma))
        case "anisotropic":
            kernel = _anisotropic_kernel(sigma, sigma * chance.uniform(0.2, 0.7), chance)
        case "motion":
            kernel = _anisotropic_kernel(sigma * 1.5, 0.3, chance)
        case _:
            kernel = _disc_kernel(sigma * 1.6)
    return _floats(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REFLECT))


def _anisotropic_kernel(long: float, short: float, chance: np.random.Generator) -> Floats:
    """A Gaussian with two widths in pixels, turned by any angle; sums to 1."""
    radius = max(1, int(np.ceil(3 * long)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32)
    angle = chance.uniform(0, np.pi)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * ((along / long) ** 2 + (across / short) ** 2))
    return _floats(kernel / kernel.sum())


def _disc_kernel(radius: float) -> Floats:
    """An even disc with a soft border, as a lens out of focus draws a point; sums to 1."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return _floats(kernel / kernel.sum())


def _with_halos(picture: Floats, chance: np.random.Generator) -> Floats:
    """Sharpened too much: the picture plus a share of what a blur takes away."""
    soft = cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.7, 1.5))
    return np.clip(picture + chance.uniform(0.3, 1.0) * (picture - soft), 0, 255).astype(np.float32)


def _noisy(picture: Floats, how: Degradation, chance: np.random.Generator) -> Floats:
    """Sensor-like noise: even over the levels, or growing with the light (Poisson)."""
    low, high = how.noise_sigma
    sigma = low * (high / low) ** chance.random()  # as many weak as strong, by ratio
    gray = chance.random() < how.gray_noise
    shape = (*picture.shape[:2], 1 if gray else 3)
    noise = chance.standard_normal(shape, dtype=np.float32)
    if chance.random() < how.blotchy_noise:
        noise = _blotchy(noise, chance.uniform(*how.blotch_sigma_px))
    if chance.random() < how.poisson_noise:
        noise = noise * np.sqrt(np.clip(picture, 0, 255) / 128 + 0.05)
    return _floats(np.clip(picture + sigma * noise, 0, 255))


def _blotchy(noise: Floats, sigma_px: float) -> Floats:
    """Noise with wider grains and the same strength."""
    wide = cv2.GaussianBlur(noise, (0, 0), sigma_px).reshape(noise.shape)
    return _floats(wide / max(float(wide.std()), 1e-6))


def _compressed(picture: Floats, how: Degradation, chance: np.random.Generator) -> Floats:
    quality = int(chance.integers(*how.quality, endpoint=True))
    if chance.random() < how.webp:
        return _through(".webp", [cv2.IMWRITE_WEBP_QUALITY, quality], picture)
    return _as_jpeg(picture, quality)


def _as_jpeg(picture: Floats, quality: int) -> Floats:
    return _through(".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality], picture)


def _through(suffix: str, flags: list[int], picture: Floats) -> Floats:
    """Compressed and decompressed."""
    _, encoded = cv2.imencode(suffix, rounded(picture)[..., ::-1], flags)
    return _floats(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])  # type: ignore[index]


def _resized_and_back(picture: Floats, chance: np.random.Generator) -> Floats:
    """Stored at another size for a while, as photos that were passed on."""
    height, width = picture.shape[:2]
    factor = chance.uniform(0.7, 1.3)
    other = (max(4, round(width * factor)), max(4, round(height * factor)))
    there, back = (int(kernel) for kernel in chance.choice(RESAMPLINGS, 2))
    away = cv2.resize(picture, other, interpolation=there)
    return np.clip(cv2.resize(away, (width, height), interpolation=back), 0, 255).astype(np.float32)
