"""The app of this checkout in a process of its own, for what looks at it from outside."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from photoenhance_ui.settings import PROJECT_DIR

START_TIMEOUT_S = 300.0
LOOK_EVERY_S = 0.05


@contextmanager
def started_app(*flags: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The app on a free port, answering, until the block ends; gives its address."""
    with started_process(*flags, environment=environment) as (url, _):
        yield url


@contextmanager
def started_process(
    *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """The same; gives its address and the number of its process."""
    port = free_port()
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", str(port), *flags]
    variables = {**os.environ, **(environment or {})}
    app = subprocess.Popen(command, cwd=PROJECT_DIR, stdout=subprocess.DEVNULL, env=variables)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, app)
        yield url, app.pid
    finally:
        app.terminate()
        try:
            app.wait(timeout=20)
        except subprocess.TimeoutExpired:
            app.kill()
            app.wait()


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, app: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        if app.poll() is not None:
            raise SystemExit(f"The app ended with {app.returncode} before it answered.")
        try:
            httpx.get(f"{url}/config", timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(LOOK_EVERY_S)
    raise SystemExit(f"The app did not answer within {START_TIMEOUT_S:.0f} s.")
