"""Facts of a machine, for the tests of what the page says of it."""

from photoenhance_ui.pipeline.plan import EngineFacts, UpscalerFacts


def facts(**changes: object) -> EngineFacts:
    """Facts of a machine with the built-in network alone, but for ``changes``."""
    known: dict[str, object] = {
        "device": "cpu",
        "device_name": "CPU (2 threads)",
        "upscalers": {"builtin": UpscalerFacts(scale=4)},
        "detector": None,
        "restorer": None,
        "parser": None,
        "default_precision": "exact",
        "tile_px": 256,
    }
    return EngineFacts(**{**known, **changes})  # type: ignore[arg-type]
