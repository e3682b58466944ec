"""What networks give: ``python -m testing.outcomes WEIGHTS CACHE [--without-torch]``.

Prints a JSON object: of each piece of work the SHA-256 of its result, and whether torch was
imported for it. With ``--without-torch`` torch and all that needs it cannot be imported.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

OF_TORCH = ("torch", "torchvision", "basicsr", "gfpgan", "realesrgan", "facexlib", "spandrel")
TILE_PX = 32


def works() -> Iterator[tuple[str, Any, str]]:
    """A name, the work, and the precision; of networks that may not be installed."""
    from photoenhance_ui.catalogue import DETECTORS, Role
    from photoenhance_ui.pipeline.contracts import FACE_PX, Work
    from testing.photos import skimage_photo

    photo = skimage_photo("astronaut")
    tile = photo[40 : 40 + TILE_PX, 200 : 200 + TILE_PX][None]
    face = photo[None, :FACE_PX, :FACE_PX]
    for name in ("builtin", "RealESRGAN_x4plus"):
        yield f"{name} exact", Work(Role.UPSCALER, name, tile), "exact"
    for denoise in (0.0, 0.5, 1.0):
        work = Work(Role.UPSCALER, "realesr-general-x4v3", tile, denoise)
        yield f"general {denoise} exact", work, "exact"
    yield "GFPGAN", Work(Role.RESTORER, "GFPGANv1.4", face), "exact"
    yield "ParseNet", Work(Role.PARSER, "parsing_parsenet", face), "exact"
    for name in DETECTORS:
        yield name, Work(Role.DETECTOR, name, [photo]), "exact"
    yield "builtin fast", Work(Role.UPSCALER, "builtin", tile), "fast"


def fingerprint(result: Any) -> str:
    """Of pixels, or of the faces found in a picture."""
    if isinstance(result, np.ndarray):
        return hashlib.sha256(result.tobytes()).hexdigest()
    (faces,) = result
    rows = [[*face.box, *face.landmarks.ravel(), face.score] for face in faces]
    return hashlib.sha256(np.array(rows, np.float64).tobytes()).hexdigest()


def outcomes(weights: Path, cache: Path) -> dict[str, str]:
    """Of every network that is installed in ``weights``."""
    from photoenhance_ui.networks.resident import Networks
    from photoenhance_ui.settings import Settings
    from photoenhance_ui.weights.inventory import installed

    settings = Settings(
        device="cpu", offline=True, weights_dir=weights, cache_dir=cache, trust_weights=True
    )
    networks = Networks({}, settings)
    found = installed(settings)
    networks.refresh(found, loads=False)
    return {
        name: fingerprint(networks.run(work, precision))
        for name, work, precision in works()
        if work.network in found
        and (precision == "exact" or networks.runs_fast(work.network, work.denoise))
    }


def main() -> None:
    """Compute and print."""
    weights, cache, *more = sys.argv[1:]
    if more:
        sys.modules.update(dict.fromkeys(OF_TORCH))  # type: ignore[arg-type]
    told = outcomes(Path(weights), Path(cache))
    print(json.dumps({"results": told, "torch": bool(sys.modules.get("torch"))}))


if __name__ == "__main__":
    main()
