"""Starting and ending the server."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.settings import PROJECT_DIR
from photoenhance_ui.ui.launch import check_port
from testing.hooked import HookedNetworks
from testing.served import serving_on


def app(tmp_path: Path, *flags: str) -> "subprocess.Popen[str]":
    """``app.py`` as a person starts it, offline."""
    return subprocess.Popen(
        [sys.executable, "app.py", "--offline", "--device", "cpu", *flags],
        cwd=PROJECT_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "GRADIO_TEMP_DIR": str(tmp_path)},
    )


def address_in(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    for line in running.stdout:
        if "is ready" in line:
            return next(word for word in line.split() if word.startswith("http"))
    raise AssertionError("it never was ready")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_program_says_where_it_is_and_ends_when_told(
    tmp_path: Path, how: signal.Signals
) -> None:
    with app(tmp_path) as running:
        address = address_in(running)
        assert httpx.get(address).status_code == 200
        running.send_signal(how)
        assert running.wait(timeout=30) == 0


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidSetting, match=f"127.0.0.1:{port}"):
            check_port("127.0.0.1", port)
        with app(tmp_path, "--port", str(port)) as running:
            told, _ = running.communicate(timeout=120)
    assert running.returncode == 1
    assert f"Nothing can listen on 127.0.0.1:{port}" in told
    assert "Traceback" not in told


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    with app(tmp_path, "--auth", "ann:secret") as running:
        address = address_in(running)
        assert httpx.get(f"{address}config").status_code == 401
        with httpx.Client(base_url=address, follow_redirects=True) as visitor:
            refused = visitor.post("login", data={"username": "ann", "password": "wrong"})
            assert refused.status_code == 400
            visitor.post("login", data={"username": "ann", "password": "secret"})
            assert visitor.get("config").status_code == 200
        running.terminate()
        assert running.wait(timeout=30) == 0


@pytest.mark.parametrize("host", ["::1", "::"])
def test_it_listens_on_addresses_of_ipv6(tmp_path: Path, host: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with serving_on(HookedNetworks, tmp_path, host=host) as (running, _):
        port = httpx.URL(running.url).port
        assert httpx.get(f"http://[::1]:{port}/config").status_code == 200
