"""Photos that every machine has, for a first look."""

from pathlib import Path

from PIL import Image

from photoenhance_ui.replacing import replacing
from photoenhance_ui.sample_photos import sample_photo

EXAMPLES = ("astronaut", "coffee", "chelsea", "rocket")
LONGEST_PX = 400
QUALITY = 85


def written_examples(folder: Path) -> dict[str, Path]:
    """Sample photos as small JPEG files in ``folder``, by name; written where absent."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.jpg" for name in EXAMPLES}
    for name, path in paths.items():
        if not path.exists():
            image = Image.fromarray(sample_photo(name))
            image.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.BOX)
            with replacing(path) as part:
                image.save(part, "JPEG", quality=QUALITY)
    return paths
