"""Nothing leaves this machine: what page and command line connect to in a whole life of each."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from gradio_client import Client, handle_file

from photoenhance_ui.settings import PROJECT_DIR
from tests.conftest import PhotoMaker

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


def watched(tmp_path: Path) -> dict[str, str]:
    """An environment in which every connection is written down."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(WATCHING)
    (tmp_path / "weights").mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PHOTOENHANCE_", "GRADIO_"))}
    return {
        **kept,
        "PYTHONPATH": str(tmp_path / "hook"),
        "CONNECTIONS": str(tmp_path / "connections"),
        "GRADIO_TEMP_DIR": str(tmp_path / "files"),
        "PHOTOENHANCE_OFFLINE": "1",
        "PHOTOENHANCE_DEVICE": "cpu",
        "PHOTOENHANCE_WEIGHTS_DIR": str(tmp_path / "weights"),
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
    subprocess.run([sys.executable, "-c", code], env=watched(tmp_path), check=True)
    assert reached(tmp_path) == {"127.0.0.1"}


def test_the_command_line_connects_to_nothing(tmp_path: Path, photo_file: PhotoMaker) -> None:
    arguments = ("enhance", str(photo_file()), "--output", str(tmp_path / "better"))
    subprocess.run(
        [sys.executable, "-m", "photoenhance_ui", *arguments],
        cwd=PROJECT_DIR, env=watched(tmp_path), check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert list((tmp_path / "better").iterdir())
    assert reached(tmp_path) == set()


def test_the_page_connects_to_this_machine_alone(tmp_path: Path, photo_file: PhotoMaker) -> None:
    with subprocess.Popen(
        [sys.executable, str(PROJECT_DIR / "app.py"), "--port", "0"],
        cwd=tmp_path, env=watched(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as page:  # fmt: skip
        try:
            assert page.stdout is not None
            ready = next(line for line in page.stdout if "is ready" in line)
            address = next(word for word in ready.split() if word.startswith("http"))
            client = Client(address, verbose=False, download_files=False)
            _, row = client.predict(handle_file(photo_file()), api_name="/enhance_one")
            assert row["state"] == "done"
            page.send_signal(signal.SIGTERM)
            page.communicate(timeout=60)
        finally:
            page.kill()
    assert reached(tmp_path) <= set(HERE), reached(tmp_path) - set(HERE)
