"""The parts of the benchmark of installations that need no network, and its tables."""

import doctest
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import environments, installs, resolution
from benchmarks.environments import disk_bytes, interpreter, packages_in, peak_disk
from benchmarks.installs import (
    APP_FILES,
    DEV_FILE,
    INSTALL_KEY,
    INSTALLERS,
    RESOLVE_KEY,
    FirstPhoto,
    Pair,
    Place,
    attempted,
    closing_line,
    install_commands,
    installer_variables,
    keep,
    main,
    merged,
    tools_of,
    tracked_files,
)
from benchmarks.resolution import PLATFORMS, Question, uv_variables, without_wheel
from docs.install_table import installs_of
from photoenhance_ui.settings import PROJECT_DIR
from testing import processes
from testing.processes import (
    PartFailed,
    clean_variables,
    family_mb,
    memory_mb,
    reason_of,
    run,
    run_well,
    started,
    wait_for_line,
)

HAS_PROC = Path("/proc/self/status").exists()
NO_WHEEL = """error: No solution found when resolving dependencies
  cause: Because basicsr{python_full_version < '3.13'}==1.4.2 has no usable wheels and only
         basicsr{python_full_version < '3.13'}<=1.4.2 is available, we can conclude that no.

hint: Wheels are required for `basicsr` because building from source is disabled for
      all packages (i.e., with `--no-build`)
"""
WRONG_PLATFORM = """error: No solution found when resolving dependencies
  cause: Because openvino>=2026.4.0 has no wheels with a matching platform tag (e.g.,
         `macosx_14_0_x86_64`) and you require openvino>=2026.4, we can conclude that no.

hint: Wheels are available for `openvino` (v2026.4.1) on the following platforms: `win_amd64`
"""
TOO_NEW = """error: No solution found when resolving dependencies
  cause: Because only scipy<=1.18.1 is available and you require scipy>=2, we can conclude that
         your requirements are unsatisfiable.
"""


@pytest.mark.parametrize("module", [environments, installs, processes, resolution])
def test_the_examples_in_docstrings_are_right(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


# Resolving


def test_a_package_without_a_wheel_is_named() -> None:
    assert without_wheel(NO_WHEEL) == "basicsr"
    assert without_wheel(WRONG_PLATFORM) is None


def test_reasons_are_short_sentences() -> None:
    assert resolution.reason_of(WRONG_PLATFORM) == "openvino has no wheel for macosx_14_0_x86_64."
    assert resolution.reason_of(TOO_NEW) == "only scipy<=1.18.1 is available."
    assert resolution.reason_of(NO_WHEEL).startswith("basicsr==1.4.2 has no usable wheels")
    assert len(resolution.reason_of("error: " + 1000 * "long ")) < 200


def test_uv_is_told_what_pip_knows_and_keeps_what_it_was_told() -> None:
    told = uv_variables({"PIP_INDEX_URL": "a", "PIP_CERT": "b", "SSL_CERT_FILE": "c"})
    assert told["UV_DEFAULT_INDEX"] == "a"
    assert told["SSL_CERT_FILE"] == "c"
    assert uv_variables({"HOME": "/"}) == {"HOME": "/"}


def uv_that_answers(folder: Path, script: str) -> str:
    uv = folder / "uv"
    uv.write_text(f"#!{sys.executable}\nimport sys\n{script}")
    uv.chmod(0o755)
    return str(uv)


@pytest.mark.skipif(os.name != "posix", reason="a script stands in for uv")
def test_what_has_no_wheel_is_built_and_named(tmp_path: Path) -> None:
    uv = uv_that_answers(
        tmp_path,
        f"if '--no-binary=basicsr' not in sys.argv: sys.exit({NO_WHEEL!r})\n"
        "print('torch==2.15.0\\nbasicsr==1.4.2\\n    # not==counted')\n",
    )
    question = Question(tmp_path / "requirements.txt", "3.11", PLATFORMS[0])
    assert resolution.resolution(uv, question) == resolution.Resolution(True, None, 2, ("basicsr",))


@pytest.mark.skipif(os.name != "posix", reason="a script stands in for uv")
def test_what_cannot_be_resolved_has_a_reason(tmp_path: Path) -> None:
    uv = uv_that_answers(tmp_path, f"sys.exit({WRONG_PLATFORM!r})")
    answer = resolution.resolution(uv, Question(tmp_path / "r.txt", "3.11", PLATFORMS[0]))
    assert (answer.resolves, answer.packages) == (False, None)
    assert answer.reason == "openvino has no wheel for macosx_14_0_x86_64."


# Processes


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_program_is_measured_whatever_its_exit_code(tmp_path: Path) -> None:
    done = run(command("print('so'); raise SystemExit(3)"), tmp_path, os.environ, 60)
    assert (done.code, done.output) == (3, "so\n")
    assert done.seconds > 0


@pytest.mark.skipif(not HAS_PROC, reason="only Linux tells it")
def test_the_memory_of_a_program_is_that_at_most(tmp_path: Path) -> None:
    code = "import time; b = bytearray(200_000_000); b[::4096] = b[::4096]; time.sleep(.3); del b"
    done = run(command(code), tmp_path, os.environ, 60)
    assert done.peak_mb is not None
    assert 190 < done.peak_mb < 400


def test_a_program_that_fails_tells_why_and_one_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match=r"^ModuleNotFoundError: No module named 'no_such'$"):
        run_well(command("import no_such"), tmp_path, os.environ, 60)
    with pytest.raises(PartFailed, match="did not end within 0 s"):
        run(command("import time; time.sleep(60)"), tmp_path, os.environ, 0.1)


def test_a_server_is_waited_for_until_it_says_that_it_is_ready(tmp_path: Path) -> None:
    code = "import time; print('first'); print('Ready: now', flush=True); time.sleep(60)"
    with started(command(code), tmp_path, os.environ) as process:
        wait_for_line(process, "Ready", 60)
        assert process.poll() is None
    assert process.poll() is not None
    with (
        started(command("import no_such"), tmp_path, os.environ) as process,
        pytest.raises(PartFailed, match="No module named"),
    ):
        wait_for_line(process, "Ready", 60)


def test_reasons_name_no_folder_and_no_address() -> None:
    assert reason_of("/home/me/a.py: no /home/me/b.txt\n") == "a.py: no b.txt"
    assert reason_of("ERROR: 404 from https://example.org/simple/a\n") == "404 from …"
    assert reason_of("scipy<1.19/scipy>=1.17") == "scipy<1.19/scipy>=1.17"
    assert reason_of("tests/conftest.py:3\nE   no torch\n") == "no torch"
    assert reason_of("") == "It ended without a word."


def test_programs_start_without_what_this_one_was_started_with(tmp_path: Path) -> None:
    told = {"PYTHONPATH": "x", "GRADIO_SERVER_PORT": "1", "PHOTOENHANCE_DEVICE": "cpu", "HOME": "h"}
    assert clean_variables(told, tmp_path) == {"HOME": "h", "TMPDIR": str(tmp_path)}


@pytest.mark.skipif(not HAS_PROC, reason="only Linux tells it")
def test_a_family_takes_at_least_what_its_head_takes() -> None:
    alone, together = memory_mb(os.getpid()), family_mb(os.getpid())
    assert alone is not None
    assert together is not None
    assert together > 0.9 * alone


def test_no_memory_is_told_of_a_process_that_is_not_there() -> None:
    assert memory_mb(2**30) is None
    assert family_mb(2**30) is None


# Environments


def script(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="scripts stand in for Pythons")
def test_a_shim_that_fails_gives_way_to_the_newest_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = tmp_path / "root" / "versions"
    script(tmp_path / "bin" / "python3.98", "exit 127")
    script(tmp_path / "bin" / "pyenv", f"echo {tmp_path / 'root'}")
    for version in ("3.98.9", "3.98.10", "3.98.0rc1"):
        script(versions / version / "bin" / "python", f"echo {version}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert interpreter("3.98", None) == versions / "3.98.10" / "bin" / "python"
    assert interpreter("3.97", None) is None


def test_what_a_package_brings_inside_itself_is_no_package(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.13" / "site-packages"
    for folder in ("numpy-2.4.6.dist-info", "numpy", "setuptools/_vendor/wheel-1.dist-info"):
        (site / folder).mkdir(parents=True)
    assert packages_in(tmp_path) == {"numpy"}


def test_a_file_with_two_names_takes_its_place_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1_000_000))
    alone = disk_bytes(tmp_path)
    os.link(tmp_path / "a", tmp_path / "b")
    assert 1_000_000 <= alone == disk_bytes(tmp_path)


def test_the_largest_size_is_remembered(tmp_path: Path) -> None:
    with peak_disk(tmp_path, every_s=0.01) as most:
        (tmp_path / "a").write_bytes(bytes(1_000_000))
        while most() < 1_000_000:
            pass
        (tmp_path / "a").unlink()
    assert most() >= 1_000_000 > disk_bytes(tmp_path)


# Installing


def test_a_part_that_fails_keeps_its_reason() -> None:
    def fails() -> FirstPhoto:
        raise PartFailed("No torch.")

    assert attempted(fails) == {"reason": "No torch."}
    done = attempted(lambda: FirstPhoto(2.5, None))
    assert done == {"seconds": 2.5, "peak_mb": None, "reason": None}


def test_both_installers_are_started_as_the_readme_says_and_without_a_cache(tmp_path: Path) -> None:
    place = Place(tmp_path / "project", {"TMPDIR": str(tmp_path / "temporary")})
    for installer in INSTALLERS:
        make, fill = install_commands(place, "uv", "a.txt", installer, Path("python3.13"))
        assert "python3.13" in make
        assert make[-1] == str(place.environment)
        assert fill[-2:] == ["-r", "a.txt"]
    told = installer_variables(place.variables)
    assert told["PIP_NO_CACHE_DIR"]
    assert Path(told["UV_CACHE_DIR"]).parent == tmp_path / "temporary"


def test_the_tools_are_the_dev_file_without_the_app() -> None:
    told = tools_of((PROJECT_DIR / DEV_FILE).read_text("utf-8"))
    assert "\n-r" not in told
    assert "pytest>=" in told
    assert "uv>=" in told


@pytest.mark.parametrize(
    ("output", "closing"),
    [
        ("...\n3 passed in 0.12s\n", "3 passed in 0.12s"),
        (
            "FAILED a.py - 2 failed in it\n2 failed, 900 passed, 4 skipped in 812.05s (0:13:32)\n",
            "2 failed, 900 passed, 4 skipped in 812.05s (0:13:32)",
        ),
        ("1 error in 0.50s\n", "1 error in 0.50s"),
        ("ImportError: no torch\n", None),
    ],
)
def test_the_closing_line_of_the_tests(output: str, closing: str | None) -> None:
    assert closing_line(output) == closing


def test_what_is_copied_is_what_a_clone_has() -> None:
    if not (PROJECT_DIR / ".git").exists():
        pytest.skip("this is no clone")
    files = tracked_files()
    assert {"app.py", *APP_FILES} <= set(files)
    assert not any(name.startswith((".venv/", ".git/")) for name in files)


# Rows


def test_a_run_replaces_its_own_rows_alone(tmp_path: Path) -> None:
    path = tmp_path / "installs.json"
    for python, seconds in (("3.13", 1), ("3.11", 2), ("3.13", 3)):
        row = {"python": python, "file": "a.txt", "installer": "pip", "seconds": seconds}
        keep(path, "installs", row, INSTALL_KEY)
    content = json.loads(path.read_text())
    assert [(r["python"], r["seconds"]) for r in content["installs"]] == [("3.11", 2), ("3.13", 3)]
    assert content["resolves"] == []
    assert merged([], [], RESOLVE_KEY) == []


@pytest.mark.parametrize("pair", ["3.9:requirements.txt", "3.13", "3.13:setup.py"])
def test_a_pair_that_is_not_measured_is_wrong_usage(pair: str) -> None:
    with pytest.raises(SystemExit):
        main(["--only", pair])


def test_a_pair_is_a_python_and_a_file() -> None:
    pairs = installs.pairs_of(APP_FILES)
    assert Pair("3.14", "requirements-cpu.txt") in pairs
    assert len(pairs) == 8


# The tables


def installed(installer: str, **parts: Any) -> dict[str, Any]:
    done = {"seconds": 61.4, "bytes": 1.26e9, "temporary_bytes": 3e8, "reason": None}
    row = {"python": "3.13", "file": "requirements-cpu.txt", "installer": installer}
    processor = {"model": "Xeon", "amx": True, "threads": 2}
    install = {**done, "installer_version": "24.2"}
    return {**row, "install": install, "processor": processor, **parts}


def resolved(python: str, file: str, reason: str | None = None, *built: str) -> dict[str, Any]:
    answer = {"resolves": reason is None, "reason": reason, "built": built}
    return {"python": python, "file": file, "platform": "Linux", **answer}


def test_both_installers_share_a_row() -> None:
    page = {"first_s": 9.04, "second_s": 4.06, "at_rest_mb": 301.7, "reason": None}
    photo = {"seconds": 3.21, "peak_mb": None, "reason": None}
    suite = {"seconds": 99.0, "outcome": "7 passed in 98.10s", "reason": None}
    rows = [installed("pip", page=page, photo=photo, suite=suite), installed("uv")]
    shown = installs_of({"installs": rows, "resolves": []}).splitlines()
    assert shown[-1] == "With an empty cache on 2 threads of Xeon with AMX; pip 24.2, uv 24.2."
    assert len(shown) == 5
    cells = shown[2].strip("| ").split(" | ")
    assert cells == [
        "3.13", "`requirements-cpu.txt`", "61 s", "61 s", "1.3 GB", "0.3 GB", "9.0 s, 4.1 s",
        "302 MB", "–", "7 passed in 98.10s",
    ]  # fmt: skip


def test_a_part_that_failed_is_a_dash_and_a_sentence() -> None:
    failed = {"reason": "No module named 'torch'"}
    rows = [installed(name, page=failed, photo=failed) for name in INSTALLERS]
    shown = installs_of({"installs": rows[1:], "resolves": []})
    assert "| – | 61 s |" in shown
    shown = installs_of({"installs": rows, "resolves": []})
    assert shown.endswith("3.13 `requirements-cpu.txt`, page, photo: No module named 'torch'.")


def test_an_installation_that_failed_names_its_installer() -> None:
    rows = [{**installed("pip"), "install": {"reason": "No wheel."}}, installed("uv")]
    shown = installs_of({"installs": rows, "resolves": []})
    assert "| – | 61 s |" in shown
    assert shown.endswith("3.13 `requirements-cpu.txt`, install by pip: No wheel.")


def test_platforms_are_rows_and_files_columns() -> None:
    rows = [
        resolved("3.11", "a.txt", None, "basicsr"),
        resolved("3.13", "a.txt"),
        resolved("3.11", "b.txt"),
        resolved("3.13", "b.txt", "no wheel."),
    ]
    assert installs_of({"installs": [], "resolves": rows}).splitlines() == [
        "| resolves on | `a.txt` | `b.txt` |",
        "| --- | --- | --- |",
        "| Linux | yes | 3.11 yes; 3.13 no: no wheel |",
        "",
        "basicsr has no wheel and is built, on 3.11.",
    ]
