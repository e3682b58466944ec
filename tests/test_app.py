"""``app.py``: what it sets before Gradio is imported, what it refuses, how it starts and ends."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import gradio_client
import httpx
import pytest

from app import STATE_DIR, prepare_environment
from photoenhance_ui.settings import FLAGS, PROJECT_DIR
from testing.photos import PhotoMaker
from testing.programs import APP, address_of, environment_for, started


def test_nothing_leaves_the_machine_and_files_live_in_the_project() -> None:
    environment: dict[str, str] = {}
    prepare_environment(environment)
    assert environment == {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_ANALYTICS_MAX_EVENTS": "1",
        "HF_HUB_OFFLINE": "1",
        "GRADIO_TEMP_DIR": str(STATE_DIR / "files"),
    }
    assert STATE_DIR == PROJECT_DIR / "state"


@pytest.mark.parametrize(("name", "value"), [("HF_HUB_OFFLINE", "0"), ("GRADIO_TEMP_DIR", "/x")])
def test_what_a_person_has_set_stays(name: str, value: str) -> None:
    environment = {name: value, "PATH": "/bin"}
    prepare_environment(environment)
    assert environment[name] == value
    assert environment["PATH"] == "/bin"


def test_nobody_turns_on_what_counts_visitors() -> None:
    environment = {"GRADIO_ANALYTICS_ENABLED": "True"}
    prepare_environment(environment)
    assert environment["GRADIO_ANALYTICS_ENABLED"] == "False"


def test_to_prepare_twice_is_to_prepare_once() -> None:
    once: dict[str, str] = {}
    prepare_environment(once)
    twice = dict(once)
    prepare_environment(twice)
    assert twice == once


# Wrong usage and help


def ended(
    tmp_path: Path, arguments: Sequence[str], **variables: str
) -> "subprocess.CompletedProcess[str]":
    """``app.py`` started from elsewhere, for calls that end by themselves."""
    return subprocess.run(
        [sys.executable, str(APP), *arguments],
        cwd=tmp_path,
        env=environment_for(tmp_path, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_that_cannot_be_is_wrong_usage_in_one_sentence(tmp_path: Path) -> None:
    done = ended(tmp_path, ["--port", "70000"])
    assert done.returncode == 2
    assert "--port must be at most 65535, not '70000'." in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout == ""


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    done = ended(tmp_path, [], PHOTOENHANCE_DEVICE="toaster")
    assert done.returncode == 2
    assert "PHOTOENHANCE_DEVICE must be one of auto, cpu, cuda, mps" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [["--colour", "red"], ["photo.jpg"], ["--por", "7861"], ["--trust"], ["--auth", "nobody"]],
)
def test_what_is_no_flag_is_wrong_usage(tmp_path: Path, words: list[str]) -> None:
    done = ended(tmp_path, words)
    assert done.returncode == 2
    assert "app.py: error: " in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--port", "70000"]])
def test_help_and_wrong_usage_wait_for_no_network_package(tmp_path: Path, words: list[str]) -> None:
    code = (
        "import sys, app\n"
        f"try: app.main({words!r})\n"
        "except SystemExit as end: print('exit', end.code)\n"
        "heavy = {'torch', 'gradio', 'basicsr', 'cv2', 'numpy', 'PIL'}\n"
        "print('heavy', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_DIR,
        env=environment_for(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith(f"exit {0 if '--help' in words else 2}\nheavy []\n"), done.stdout
    if "--help" in words:
        assert all(flag.flag in done.stdout for flag in FLAGS)


# The page itself


def test_the_page_answers_keeps_files_where_it_is_told_and_ends_in_order(
    tmp_path: Path, photo_file: PhotoMaker
) -> None:
    log: list[str] = []
    with started(tmp_path) as running:
        url = address_of(running, log)
        with httpx.Client(base_url=url, timeout=30) as visitor:
            page = visitor.get("/")
            assert page.status_code == 200
            assert "PhotoEnhance" in page.text
            assert visitor.get("/config").json()["analytics_enabled"] is False
            with photo_file().open("rb") as photo:
                uploaded = visitor.post("/gradio_api/upload", files={"files": photo}).json()
        assert Path(uploaded[0]).is_relative_to(tmp_path / "files")
        assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=60)
        assert running.returncode == 0
    assert "Traceback" not in "".join(log) + rest
    assert "network_loads name=builtin" in "".join(log), "it logs what it does"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_it_ends_in_order_where_somebody_still_listens(tmp_path: Path) -> None:
    log: list[str] = []
    with started(tmp_path) as running:
        listening = gradio_client.Client(address_of(running, log), verbose=False)
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=60)
        assert running.returncode == 0
        assert "Keyboard interruption" not in rest, "gradio's own way, which waits for the client"
        listening.close()


def test_ctrl_c_before_there_is_a_page_is_no_error(tmp_path: Path) -> None:
    interrupted = tmp_path / "gradio.py"  # found before the real one, which takes longer than this
    interrupted.write_text("raise KeyboardInterrupt\n", "utf-8")
    done = ended(tmp_path, [], PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
