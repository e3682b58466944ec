"""A file from outside is loaded and run once, in a process that may die of it.

What a file says is checked where it is read; here is what no reading shows: what an architecture
makes of it takes more memory or time than anybody has, or its numbers are no picture.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from photoenhance_ui.catalogue import Role
from photoenhance_ui.errors import PhotoEnhanceError, WeightsError
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.networks.state_dicts import damaged
from photoenhance_ui.pipeline.contracts import FACE_PX, Work
from photoenhance_ui.request import Precision
from photoenhance_ui.settings import PROJECT_DIR, Settings
from photoenhance_ui.weights.inventory import look_at

TRIAL_S = 300.0
TRIAL_BYTES = 3 << 30
"""Memory for the libraries and a tiny picture; torch alone takes a third of it."""
BYTES_OF_FILE = 12
"""Memory for each byte of the file: half precision as floats, read, built and compiled."""
TRIAL_PX = 32
LESS_URGENT = 10
UNKNOWN = "unknown"
"""The code of a file whose name is not that of a network's file."""


def problem_of(file: Path, settings: Settings) -> tuple[str, str] | None:
    """Why a file cannot be used, as a code and a sentence; None where it ran."""
    command = [sys.executable, "-m", __name__, str(file.resolve()), str(settings.trust_weights)]
    outgrown = damaged(file, "it needs more memory or time than networks do")
    try:
        ended = subprocess.run(  # noqa: S603 - this very program
            command, cwd=PROJECT_DIR, capture_output=True, timeout=TRIAL_S, check=False
        )
        told = json.loads(ended.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, ValueError):  # it died, or never ended
        return outgrown.code, outgrown.sentence
    return None if told is None else (told["code"], told["sentence"])


def main(arguments: Sequence[str]) -> None:
    """Print what is wrong with the file; this runs in the process of its own."""
    file, trusted = Path(arguments[0]), arguments[1] == str(True)
    _be_modest(TRIAL_BYTES + BYTES_OF_FILE * file.stat().st_size)
    try:
        told = _tried(file, Settings(device="cpu", offline=True, trust_weights=trusted))
    except PhotoEnhanceError as error:
        is_ours = isinstance(error, WeightsError)
        why = error if is_ours else damaged(file, "it was tried and failed")
        told = {"code": why.code, "sentence": why.sentence}
    print(json.dumps(told))  # noqa: T201 - who started this process reads it


def _be_modest(most_bytes: int) -> None:
    """Leave memory and processors to others, where the system can see to it."""
    with suppress(ImportError, OSError, ValueError, AttributeError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
        os.nice(LESS_URGENT)


def _tried(file: Path, settings: Settings) -> dict[str, str] | None:
    found = look_at(file, settings)
    if found is None:
        return {"code": UNKNOWN, "sentence": ""}
    exact = Precision.EXACT.value
    networks = Networks({}, replace(settings, precision=exact))
    networks.refresh({found.name: found}, loads=False)
    facts = networks.facts()
    if found.name in facts.refused:
        raise facts.refused[found.name]
    output = networks.run(Work(found.role, found.name, _pictures(found.role)), exact)
    if found.name in facts.upscalers:
        side = TRIAL_PX * facts.upscalers[found.name].scale
        if output.shape != (1, side, side, 3):
            raise damaged(file)
    return None


def _pictures(role: Role) -> Any:
    """What a network of that role takes: nothing but noise."""
    side = FACE_PX if role in (Role.RESTORER, Role.PARSER) else TRIAL_PX
    noise = np.random.default_rng(1).integers(0, 256, (1, side, side, 3), np.uint8)
    return list(noise) if role is Role.DETECTOR else noise


if __name__ == "__main__":
    main(sys.argv[1:])
