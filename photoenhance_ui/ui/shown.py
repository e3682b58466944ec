"""What a browser shows of a photo: the file itself where it can, else a smaller picture of it."""

from pathlib import Path

import cv2

from photoenhance_ui.codec import Limits, preview, probe, read_photo
from photoenhance_ui.photo import Photo

SHOWABLE = (".jpg", ".png", ".webp", ".gif", ".avif")
MOST_SHOWN_PIXELS = 6_000_000  # a grid of larger files makes a browser slow
LONGEST_SHOWN_PX = 1800
NO_LIMITS = Limits(max_bytes=2**62, max_pixels=2**62)  # our own results and accepted inputs


def shown_result(result: Path) -> Path:
    """The result, or a picture of it beside it where it is large or of a format browsers lack."""
    if result.suffix in SHOWABLE and probe(result, NO_LIMITS).pixels <= MOST_SHOWN_PIXELS:
        return result
    existing = list(result.parent.glob(f"shown/{result.stem}.*"))
    if existing:
        return existing[0]
    return preview(read_photo(result, NO_LIMITS), result.parent / "shown", LONGEST_SHOWN_PX,
                   result.stem)  # fmt: skip


def before_and_after(original: Path, result: Path) -> tuple[Path, Path]:
    """Two pictures of equal size, upright and in sRGB: the original enlarged plainly, the result."""
    folder = result.parent / "compare"
    after = read_photo(result, NO_LIMITS)
    before = _enlarged_to(read_photo(original, NO_LIMITS), after)
    return (
        preview(before, folder, LONGEST_SHOWN_PX, f"{result.stem}_before"),
        preview(after, folder, LONGEST_SHOWN_PX, f"{result.stem}_after"),
    )


def _enlarged_to(photo: Photo, like: Photo) -> Photo:
    size = (like.size.width, like.size.height)
    pixels = cv2.resize(photo.pixels, size, interpolation=cv2.INTER_CUBIC)
    alpha = None
    if photo.alpha is not None:
        alpha = cv2.resize(photo.alpha, size, interpolation=cv2.INTER_CUBIC)
    return photo.with_pixels(pixels, alpha)  # type: ignore[arg-type]
