"""Nothing leaves this machine: what page and command line connect to in a whole life of each."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from gradio_client import Client, handle_file

from photoenhance_ui.settings import PROJECT_DIR
from testing.photos import PhotoMaker
from testing.programs import address_of, environment_for, started

WATCHING = """
import json, os, sys

def watch(event, given):
    if event in ("socket.connect", "socket.sendto"):
        told = given[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        told = [given[0]]
    else:
        return
    if isinstance(told, (tuple, list)):  # no path of this machine's own
        with open(os.environ["CONNECTIONS"], "a") as log:
            log.write(json.dumps([str(part) for part in told]) + "\\n")

sys.addaudithook(watch)
"""
"""Runs at the start of each Python, also of those that a program starts."""

HERE = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "None")


def watching(tmp_path: Path) -> dict[str, str]:
    """Variables with which every connection is written down."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(WATCHING)
    return {
        "PYTHONPATH": str(tmp_path / "hook"),
        "CONNECTIONS": str(tmp_path / "connections"),
        "PHOTOENHANCE_CACHE_DIR": str(tmp_path / "cache"),
    }


def reached(tmp_path: Path) -> set[str]:
    """The hosts that were connected to or looked up."""
    log = tmp_path / "connections"
    lines = log.read_text().splitlines() if log.exists() else []
    return {json.loads(line)[0] for line in lines}


def test_the_watch_sees_what_a_child_of_the_program_connects_to(tmp_path: Path) -> None:
    child = "import socket; socket.socket().connect_ex(('127.0.0.1', 9))"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    environment = environment_for(tmp_path, **watching(tmp_path))
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert reached(tmp_path) == {"127.0.0.1"}


def test_the_command_line_connects_to_nothing(tmp_path: Path, photo_file: PhotoMaker) -> None:
    arguments = ("enhance", str(photo_file()), "--output", str(tmp_path / "better"))
    flags = ("--offline", "--device", "cpu", "--weights-dir", str(tmp_path))
    subprocess.run(
        [sys.executable, "-m", "photoenhance_ui", *arguments, *flags],
        cwd=PROJECT_DIR, env=environment_for(tmp_path, **watching(tmp_path)), check=True,
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert list((tmp_path / "better").iterdir())
    assert reached(tmp_path) == set()


def test_the_page_connects_to_this_machine_alone(tmp_path: Path, photo_file: PhotoMaker) -> None:
    with started(tmp_path, **watching(tmp_path)) as page:
        client = Client(address_of(page, []), verbose=False, download_files=False)
        _, row = client.predict(handle_file(photo_file()), api_name="/enhance_one")
        assert row["state"] == "done"
        page.send_signal(signal.SIGTERM)
        page.communicate(timeout=60)
    assert reached(tmp_path) <= set(HERE), reached(tmp_path) - set(HERE)
