"""The reports that every door gives: how the machine stands, and which networks there are.

Plain JSON values, so that the page, the API and the command line say the same.
"""

from collections.abc import Sequence
from typing import Any

from photoenhance_ui import __version__
from photoenhance_ui.catalogue import CATALOGUE, Role, WeightFile
from photoenhance_ui.engine.interface import QueueLength
from photoenhance_ui.pipeline.plan import EngineFacts
from photoenhance_ui.request import BUILTIN, PRESETS, RESAMPLE_ONLY, preset_options
from photoenhance_ui.weights.downloads import DownloadState
from photoenhance_ui.weights.inventory import Inventory


def status_report(
    facts: EngineFacts, queue: QueueLength, downloads: Sequence[DownloadState]
) -> dict[str, Any]:
    """Device, precision, networks at hand and being downloaded, queue, version."""
    return {
        "version": __version__,
        "device": facts.device,
        "device_name": facts.device_name,
        "precision": facts.default_precision,
        "networks": {
            "upscalers": sorted(facts.upscalers),
            "detector": facts.detector,
            "restorer": facts.restorer,
            "parser": facts.parser,
        },
        "downloads": [
            {
                "name": state.name,
                "state": state.phase.value,
                "done_bytes": state.done_bytes,
                "total_bytes": state.total_bytes,
                "reason": state.reason,
            }
            for state in downloads
        ],
        "queue": {"working": queue.working, "waiting": queue.waiting},
    }


def models_report(stock: Inventory, facts: EngineFacts) -> dict[str, Any]:
    """The built-in network, the catalogue and a person's own files; and the presets."""
    own = sorted(name for name, found in stock.installed.items() if found.known is None)
    return {
        "models": [
            *(_own_file(name, facts) for name in own),
            *(_known_file(file, stock, facts) for file in CATALOGUE),
        ],
        "presets": {name: preset_options(name, facts.upscalers) for name in PRESETS},
        "upscalers": ["auto", *sorted(facts.upscalers), RESAMPLE_ONLY],
    }


def _known_file(file: WeightFile, stock: Inventory, facts: EngineFacts) -> dict[str, Any]:
    refused = stock.refused.get(file.name) or facts.refused.get(file.name)
    return {
        "name": file.name,
        "role": file.role.value,
        "purpose": file.purpose,
        "architecture": file.architecture.value,
        "scale": file.scale,
        "bytes": file.bytes,
        "licence": file.licence,
        "url": file.url,
        "sha256": file.sha256,
        "installed": file.name in stock.installed,
        "problem": refused.sentence if refused is not None else None,
    }


def _own_file(name: str, facts: EngineFacts) -> dict[str, Any]:
    upscaler = facts.upscalers.get(name)
    built_in = name == BUILTIN
    return {
        "name": name,
        "role": Role.UPSCALER.value,
        "purpose": "The network that comes with the program" if built_in else "A file of your own",
        "architecture": None,
        "scale": upscaler.scale if upscaler is not None else None,
        "bytes": None,
        "licence": "MIT" if built_in else None,
        "url": None,
        "sha256": None,
        "installed": upscaler is not None,
        "problem": facts.refused[name].sentence if name in facts.refused else None,
    }
