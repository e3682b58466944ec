"""The program as a process of its own, started from elsewhere and with nothing of this one's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from photoenhance_ui.settings import PROJECT_DIR

APP = PROJECT_DIR / "app.py"


def environment_for(tmp_path: Path, **variables: str) -> dict[str, str]:
    """That of this process, without what would change the program's settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PHOTOENHANCE_", "GRADIO_"))
    }
    return {**kept, "GRADIO_TEMP_DIR": str(tmp_path / "files"), **variables}


@contextmanager
def started(tmp_path: Path, **more: str) -> Iterator["subprocess.Popen[str]"]:
    """The page with its settings from variables; ended by force only where it did not end."""
    (tmp_path / "weights").mkdir(exist_ok=True)
    variables = {
        **more,
        "PHOTOENHANCE_DEVICE": "cpu",
        "PHOTOENHANCE_WEIGHTS_DIR": str(tmp_path / "weights"),
        "PHOTOENHANCE_TILE_PX": "128",
    }
    running = subprocess.Popen(
        [sys.executable, str(APP), "--offline", "--port", "0"],
        cwd=tmp_path,
        env=environment_for(tmp_path, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with running:
            yield running
    finally:
        running.kill()


def address_of(running: "subprocess.Popen[str]", log: list[str]) -> str:
    """Where the page is; what it printed before goes to ``log``."""
    assert running.stdout is not None
    for line in running.stdout:
        log.append(line)
        if "is ready" in line:
            return next(word for word in line.split() if word.startswith("http"))
    raise AssertionError("".join(log))
