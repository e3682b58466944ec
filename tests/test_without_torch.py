"""On a CPU torch is neither needed nor imported, and changes no result by a bit."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from photoenhance_ui.settings import PROJECT_DIR
from testing.outcomes import OF_TORCH
from testing.photos import PhotoMaker

DATA = PROJECT_DIR.parent / "shared" / "data" / "weights"
WITHOUT_TORCH = f"import sys; sys.modules.update(dict.fromkeys({OF_TORCH!r}))\n"


def python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT_DIR, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks at full size: real files where they are at hand, else seeded random ones."""
    pytest.importorskip("torch", reason="makes files of random weights")
    from testing import seeded_weights as made

    folder = tmp_path_factory.mktemp("weights")
    real = {made.MOBILENET_FILE: made.MOBILENET_FILE, **made.REAL_GENERAL_FILES}
    real |= made.REAL_RRDB_FILES
    del real[made.ANIME_FILE]
    for official, name in real.items():
        if (DATA / name).is_file():
            shutil.copy(DATA / name, folder / official)
    seeded = (made.GFPGAN_FILE, made.PARSENET_FILE, made.RESNET50_FILE)
    made.write_random_weights(folder, [*real, *seeded])
    yunet = "face_detection_yunet_2023mar.onnx"
    if (DATA / yunet).is_file():
        shutil.copy(DATA / yunet, folder / yunet)
    return folder


def test_every_network_gives_the_same_bytes_with_torch_and_without(
    weights: Path, tmp_path: Path
) -> None:
    told: list[dict[str, Any]] = [
        json.loads(python("-m", "testing.outcomes", str(weights), str(tmp_path / name), *more))
        for name, more in (("with", ()), ("without", ("--without-torch",)))
    ]
    assert told[0] == told[1]
    assert not told[0]["torch"], "torch was imported though nobody asked for it"
    assert len(told[0]["results"]) >= 10


def test_the_command_line_does_without_torch(tmp_path: Path, photo_file: PhotoMaker) -> None:
    words = ["photoenhance_ui", "enhance", str(photo_file()), "--output", str(tmp_path / "out")]
    words += ["--offline", "--weights-dir", str(tmp_path), "--cache-dir", str(tmp_path / "cache")]
    code = (
        f"{WITHOUT_TORCH}import runpy; sys.argv = {words!r}\n"
        "runpy.run_module('photoenhance_ui', run_name='__main__')\n"
    )
    python("-c", code)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["chelsea_enhanced.png"]


def test_with_torch_installed_neither_door_imports_it_on_a_cpu(
    tmp_path: Path, photo_file: PhotoMaker
) -> None:
    words = ["enhance", str(photo_file()), "--output", str(tmp_path / "out"), "--offline"]
    words += ["--device", "cpu", "--weights-dir", str(tmp_path), "--cache-dir", str(tmp_path)]
    imported = python(
        "-c",
        "import sys\nfrom photoenhance_ui.cli import main\n"
        f"main({words!r})\n"
        f"print(sorted({set(OF_TORCH)!r} & set(sys.modules)))",
    )
    assert imported.splitlines()[-1] == "[]"


def test_a_device_that_needs_torch_says_which_command_adds_it(tmp_path: Path) -> None:
    words = ["status", "--device", "cuda", "--weights-dir", str(tmp_path)]
    code = f"{WITHOUT_TORCH}from photoenhance_ui.cli import main\nprint('ended', main({words!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_DIR, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.stdout == "ended 1\n"
    assert "pip install -r requirements.txt" in done.stderr
    assert "Traceback" not in done.stderr
