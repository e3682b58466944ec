"""Whether a requirements file resolves for a Python on a platform, as uv finds it from anywhere.

Wheels are asked for first. A package that has none is then allowed to be built, one after the
other, and named: it is what a person's machine would have to build.

Of the Pythons that a package allows, uv looks at the oldest one alone. A single version that is
left out, as torchvision leaves out 3.14.1, stops pip and is not seen here.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT_S = 1800.0  # asking for the dependencies of basicsr installs torch to run its setup.py
MAX_REASON_CHARACTERS = 160

_NO_WHEEL = re.compile(r"Wheels are required for `([\w.-]+)` because building from source is dis")
_WRONG_TAG = re.compile(
    r"Because ([\w.-]+)\S* has no wheels with a matching [\w ]+ tag \(e\.g\., `([^`]+)`"
)
_CONCLUSION = re.compile(r",? (?:and you require|we can conclude that|hint:) .*")
_MARKERS = re.compile(r"\{[^}]*\}")
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==", re.MULTILINE)

SAME_IN_PIP = {"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "SSL_CERT_FILE": "PIP_CERT"}
"""What uv reads -> where a person who has set up pip has said the same."""


@dataclass(frozen=True)
class Platform:
    """A kind of machine that the app may be installed on."""

    name: str
    triple: str
    """What uv calls the oldest system of this kind that is asked about."""
    variables: Mapping[str, str] = field(default_factory=dict)


PLATFORMS = (
    Platform("Linux x86-64, glibc 2.28", "x86_64-manylinux_2_28"),
    Platform("Linux ARM, glibc 2.35", "aarch64-manylinux_2_35"),
    Platform("macOS 14 ARM", "aarch64-apple-darwin", {"MACOSX_DEPLOYMENT_TARGET": "14.0"}),
    Platform("macOS 14 Intel", "x86_64-apple-darwin", {"MACOSX_DEPLOYMENT_TARGET": "14.0"}),
    Platform("Windows x86-64", "x86_64-pc-windows-msvc"),
)
"""The systems are the oldest on which every wheel of the requirements runs, where there is one."""


@dataclass(frozen=True)
class Question:
    """What is to be resolved, and for whom."""

    requirements: Path
    python: str
    """A minor version as ``3.11``."""
    platform: Platform
    interpreter: Path | None = None
    """Runs what has to be built; without one, uv takes any."""


@dataclass(frozen=True)
class Resolution:
    """What came of a question."""

    resolves: bool
    reason: str | None = None
    """Why it does not resolve, in one sentence."""
    packages: int | None = None
    built: tuple[str, ...] = ()
    """Packages that have no wheel for this Python on this platform."""


def find_uv() -> str | None:
    """The uv beside this Python, else that of the PATH; None where there is none."""
    beside = Path(sys.executable).parent
    return shutil.which("uv", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")


def uv_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, in which uv finds the index and the certificates that pip was told of."""
    told = {
        ours: environment[theirs]
        for ours, theirs in SAME_IN_PIP.items()
        if theirs in environment and ours not in environment
    }
    return {**environment, **told}


def resolution(uv: str, question: Question) -> Resolution:
    """Ask uv, allowing one more package to be built as long as one has no wheel."""
    built: list[str] = []
    while True:
        answer = _asked(uv, question, built)
        if answer.returncode == 0:
            return Resolution(True, None, len(set(_PIN.findall(answer.stdout))), tuple(built))
        package = without_wheel(answer.stderr)
        if package is None or package in built:
            return Resolution(False, reason_of(answer.stderr), None, tuple(built))
        built.append(package)


def _asked(uv: str, question: Question, built: Sequence[str]) -> subprocess.CompletedProcess[str]:
    platform, python = question.platform, question.interpreter
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--color=never"]
    command += ["--python-version", question.python, "--python-platform", platform.triple]
    command += ["--only-binary=:all:", *(f"--no-binary={package}" for package in built)]
    command += ["--python", str(python)] if python else []
    return subprocess.run(
        [*command, str(question.requirements)],
        env={**uv_variables(os.environ), **platform.variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def without_wheel(message: str) -> str | None:
    """The package that uv's message says has no wheel, and would be built if it were allowed."""
    found = _NO_WHEEL.search(_on_one_line(message))
    return found[1] if found else None


def reason_of(message: str) -> str:
    r"""Why nothing was found, in one short sentence, out of uv's explanation.

    >>> reason_of("error: No solution found\n  cause: Because torch==2.15.0 has no wheels with "
    ...           "a matching platform tag (e.g., `macosx_13_0_arm64`) and only ...")
    'torch has no wheel for macosx_13_0_arm64.'
    """
    line = _MARKERS.sub("", _on_one_line(message))
    tag = _WRONG_TAG.search(line)
    if tag:
        return f"{_name_of(tag[1])} has no wheel for {tag[2]}."
    _, _, cause = line.rpartition("cause: ")
    cause = _CONCLUSION.sub("", cause).removeprefix("Because ")
    return f"{cause[:MAX_REASON_CHARACTERS].strip(' .,')}."


def _name_of(requirement: str) -> str:
    return re.split(r"[=<>!~]", requirement)[0]


def _on_one_line(message: str) -> str:
    return " ".join(message.split())
