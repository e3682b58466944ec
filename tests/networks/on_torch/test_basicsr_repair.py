"""basicsr beside a current torchvision, in a fresh Python: nothing is imported there yet.

Only tests and benchmarks need it, and only they have basicsr.
"""

import importlib.util
import subprocess
import sys

import pytest

pytest.importorskip("torchvision")

GONE = "torchvision.transforms.functional_tensor"


@pytest.fixture(scope="module", autouse=True)
def basicsr_is_installed() -> None:
    for package in ("basicsr", "gfpgan", "realesrgan"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} cannot be installed from Python 3.13 on")


def run_python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=200
    )


def test_without_the_repair_basicsr_cannot_be_imported() -> None:
    ended = run_python("import basicsr")
    if ended.returncode == 0:
        pytest.skip(f"this torchvision still has {GONE}")
    assert f"No module named '{GONE}'" in ended.stderr


def test_with_the_repair_all_three_packages_are_imported_and_a_second_one_is_harmless() -> None:
    ended = run_python(
        "import sys\n"
        "from photoenhance_ui.networks.on_torch.basicsr_repair import repair\n"
        "repair()\n"
        f"first = sys.modules['{GONE}']\n"
        "repair()\n"
        f"assert sys.modules['{GONE}'] is first\n"
        "import basicsr, gfpgan, realesrgan, torch\n"
        "from basicsr.data.degradations import rgb_to_grayscale\n"
        "gray = rgb_to_grayscale(torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1))\n"
        "print(f'gray {float(gray):.3f}')\n"
        "repair()\n"
    )
    assert ended.returncode == 0, ended.stderr
    assert "gray 0.592" in ended.stdout  # 0.2989 * 1 + 0.587 * 0.5
