"""``status``: the device, the precision and the networks at work."""

from photoenhance_ui import __version__
from photoenhance_ui.cli.parser import ALL_DONE
from photoenhance_ui.engine import open_engine
from photoenhance_ui.settings import Settings


def status(settings: Settings) -> int:
    """Start an engine, show what it has, and close it."""
    with open_engine(settings) as engine:
        facts = engine.facts()
    none = "none"
    lines = {
        "version": __version__,
        "device": f"{facts.device}, {facts.device_name}",
        "precision": f"{facts.default_precision} (can do: {', '.join(facts.precisions)})",
        "tile": f"{facts.tile_px} px",
        "upscalers": ", ".join(sorted(facts.upscalers)) or none,
        "face finder": facts.finder or none,
        "face restorer": facts.restorer or none,
        "face parser": facts.parser or none,
        "weights folder": str(settings.weights_dir),
    }
    for word, value in lines.items():
        print(f"{word:15}{value}")
    for warning in facts.weights_warnings.values():
        print(warning)
    return ALL_DONE
