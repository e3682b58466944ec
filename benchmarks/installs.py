"""What an installation takes, and whether there is one: ``python -m benchmarks.installs``.

Two tables, for each Python and each requirements file:

- **resolves**: whether uv finds a set of packages for each platform, as wheels or with packages
  that have to be built. That needs no machine of that kind.
- **installs**: a real one, for each Python that is at hand, by pip and by uv. The tracked files are
  copied into an empty folder, where a virtual environment is made with an empty cache: a wheel of
  basicsr that an earlier installation built would hide what a person waits for. Then the page is
  started twice and a first photo is enhanced by the command line; with ``--suites`` the tests run
  there too, which takes long.

A part that fails keeps its reason and stops no other. ``--only 3.13:requirements-cpu.txt`` measures
that pair alone; every run replaces only the rows that it measured, and each row tells its commit.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from skimage import data as sample_photos

from benchmarks.environments import (
    disk_bytes,
    interpreter,
    packages_in,
    peak_disk,
    processor,
    program,
    version_of,
    version_told,
)
from benchmarks.resolution import (
    PLATFORMS,
    Platform,
    Question,
    Resolution,
    find_uv,
    resolution,
    uv_variables,
)
from photoenhance_ui.settings import PROJECT_DIR
from testing.processes import (
    PartFailed,
    clean_variables,
    family_mb,
    reason_of,
    run,
    run_well,
    started,
    wait_for_line,
)
from testing.running_app import free_port

RESULTS = PROJECT_DIR / "benchmarks" / "results"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
APP_FILES = ("requirements.txt", "requirements-cpu.txt")
DEV_FILE = "requirements-dev.txt"
INSTALLERS = ("pip", "uv")
PHOTO_SIZE_PX = (300, 200)
READY_LINE = "PhotoEnhance is ready"
REST_S = 15.0  # after the first answer, what was begun at the start has ended
INSTALL_TIMEOUT_S, START_TIMEOUT_S, PHOTO_TIMEOUT_S, SUITE_TIMEOUT_S = 3600.0, 300.0, 600.0, 7200.0

RESOLVE_KEY = ("python", "file", "platform")
INSTALL_KEY = ("python", "file", "installer")

_CLOSING_LINE = re.compile(r"^=*\s*(\d+ (?:passed|failed|errors?|skipped)\b.* in [\d.]+s.*?)\s*=*$")


@dataclass(frozen=True)
class Pair:
    """A minor version of Python and a requirements file."""

    python: str
    file: str


@dataclass(frozen=True)
class Place:
    """An empty folder that has become a copy of the project with an environment of its own."""

    project: Path
    variables: Mapping[str, str]
    """With these its programs are run."""

    @property
    def environment(self) -> Path:
        """The virtual environment, as the README calls it."""
        return self.project / ".venv"

    @property
    def python(self) -> str:
        """Its interpreter."""
        return program(self.environment, "python")


@dataclass(frozen=True)
class Installation:
    """What the commands of the README's first line took."""

    version: str
    """Of the interpreter, with its patch."""
    installer_version: str | None
    seconds: float
    packages: int
    bytes: int
    """Of the environment on the disk."""
    temporary_bytes: int
    """Of the folder for temporary files at most; with uv, its cache is in there."""


@dataclass(frozen=True)
class Page:
    """How soon the page answers after its command."""

    first_s: float
    second_s: float
    at_rest_mb: float | None
    """Resident memory of its processes some seconds after it answered; the second time."""


@dataclass(frozen=True)
class FirstPhoto:
    """One small photo by the command line, with nothing remembered of earlier ones."""

    seconds: float
    peak_mb: float | None


@dataclass(frozen=True)
class Suite:
    """How the tests ended there."""

    seconds: float
    outcome: str


# Resolving


def resolved_row(uv: str, pair: Pair, platform: Platform) -> dict[str, Any]:
    """Whether this file resolves for this Python on this platform."""
    python = interpreter(pair.python, uv)
    question = Question(PROJECT_DIR / pair.file, pair.python, platform, python)
    try:
        answer = resolution(uv, question)
    except subprocess.TimeoutExpired:
        answer = Resolution(False, "uv came to no end.")
    version = version_told([uv, "--version"])
    row = {**asdict(pair), "platform": platform.name, **asdict(answer)}
    return {**row, "uv": version, **_provenance()}


def resolved_rows(uv: str, pairs: Iterable[Pair]) -> Iterator[dict[str, Any]]:
    """Each pair on each platform."""
    for pair in pairs:
        for platform in PLATFORMS:
            yield resolved_row(uv, pair, platform)


# Installing


def installed_rows(
    uv: str, pairs: Iterable[Pair], installers: Sequence[str], suites: bool
) -> Iterator[dict[str, Any]]:
    """Each pair whose Python is at hand by each installer; tests run in what pip installed."""
    for pair in pairs:
        python = interpreter(pair.python, uv)
        if python is None:
            print(f"There is no Python {pair.python} on this machine.", flush=True)
            continue
        for installer in installers:
            yield installed_row(uv, pair, installer, python, suites and installer == "pip")


def installed_row(uv: str, pair: Pair, installer: str, python: Path, suite: bool) -> dict[str, Any]:
    """Install, start, enhance and, where asked for, test; in a folder that is removed then."""
    row: dict[str, Any] = {**asdict(pair), "installer": installer}
    with _place() as place:
        row["install"] = attempted(lambda: install(place, uv, pair.file, installer, python))
        if row["install"]["reason"] is None:
            row["page"] = attempted(lambda: open_page(place))
            row["photo"] = attempted(lambda: enhance_photo(place))
            row["suite"] = attempted(lambda: run_suite(place)) if suite else None
    return {**row, "processor": processor(), **_provenance()}


def attempted(part: Callable[[], Any]) -> dict[str, Any]:
    """What a part measured, or the reason why it could not; no other part is stopped by it."""
    try:
        return {**asdict(part()), "reason": None}
    except PartFailed as failed:
        return {"reason": str(failed)}
    except (OSError, httpx.HTTPError) as error:
        return {"reason": type(error).__name__}


@contextmanager
def _place() -> Iterator[Place]:
    """The tracked files in an empty folder, beside another one for temporary files."""
    with tempfile.TemporaryDirectory(prefix="installs-") as scratch:
        project, temporary = Path(scratch) / "project", Path(scratch) / "temporary"
        temporary.mkdir()
        for name in tracked_files():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT_DIR / name, project / name)
        yield Place(project, clean_variables(os.environ, temporary))


def tracked_files() -> list[str]:
    """What a clone of the project has, as paths below its folder."""
    told = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT_DIR, capture_output=True, text=True, check=True
    )
    return [name for name in told.stdout.split("\0") if (PROJECT_DIR / name).is_file()]


def install(place: Place, uv: str, file: str, installer: str, python: Path) -> Installation:
    """Make the environment and install what the file names, with an empty cache."""
    temporary = Path(place.variables["TMPDIR"])
    variables = installer_variables(place.variables)
    make, fill = install_commands(place, uv, file, installer, python)
    with peak_disk(temporary) as temporary_bytes:
        made = run_well(make, place.project, variables, INSTALL_TIMEOUT_S)
        before = packages_in(place.environment)
        filled = run_well(fill, place.project, variables, INSTALL_TIMEOUT_S)
    pip, uv_itself = [place.python, "-m", "pip", "--version"], [uv, "--version"]
    return Installation(
        version=version_of(place.python),
        installer_version=version_told(pip if installer == "pip" else uv_itself),
        seconds=round(made.seconds + filled.seconds, 1),
        packages=len(packages_in(place.environment) - before),
        bytes=disk_bytes(place.environment),
        temporary_bytes=temporary_bytes(),
    )


def installer_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """With these neither installer has a cache, nor have those that they start for a build."""
    cache = Path(variables["TMPDIR"]) / "uv-cache"
    return {**uv_variables(variables), "PIP_NO_CACHE_DIR": "1", "UV_CACHE_DIR": str(cache)}


def install_commands(
    place: Place, uv: str, file: str, installer: str, python: Path
) -> tuple[list[str], list[str]]:
    """What makes the environment, and what installs into it."""
    environment = str(place.environment)
    if installer == "uv":
        make = [uv, "venv", "--quiet", "--python", str(python), environment]
        return make, [uv, "pip", "install", "--python", place.python, "-r", file]
    pip = program(place.environment, "pip")
    return [str(python), "-m", "venv", environment], [pip, "install", "--no-cache-dir", "-r", file]


def open_page(place: Place) -> Page:
    """Start the page twice; the first time nothing of it is compiled or remembered."""
    first_s, _ = _start_page(place, rest_s=0)
    second_s, at_rest_mb = _start_page(place, rest_s=REST_S)
    return Page(first_s, second_s, at_rest_mb)


def _start_page(place: Place, rest_s: float) -> tuple[float, float | None]:
    """Seconds until its address is printed and answers, and resident memory ``rest_s`` later."""
    port = free_port()
    command = [place.python, "app.py", "--offline", "--host", "127.0.0.1", "--port", str(port)]
    began = time.perf_counter()
    with started(command, place.project, place.variables) as app:
        wait_for_line(app, READY_LINE, START_TIMEOUT_S)
        httpx.get(f"http://127.0.0.1:{port}/", timeout=30, trust_env=False).raise_for_status()
        seconds = round(time.perf_counter() - began, 2)
        time.sleep(rest_s)
        return seconds, family_mb(app.pid)


def enhance_photo(place: Place) -> FirstPhoto:
    """A small photo from file to file, as the README's first command does."""
    shutil.rmtree(place.project / "state", ignore_errors=True)
    width, height = PHOTO_SIZE_PX
    Image.fromarray(sample_photos.coffee()[:height, :width]).save(place.project / "photo.png")
    command = [place.python, "-m", "photoenhance_ui", "enhance", "photo.png", "--output", "better"]
    done = run_well(command, place.project, place.variables, PHOTO_TIMEOUT_S)
    if not list((place.project / "better").glob("photo_enhanced.*")):
        raise PartFailed("It ended well, but wrote no photo.")
    return FirstPhoto(round(done.seconds, 2), done.peak_mb)


def run_suite(place: Place) -> Suite:
    """Install what the tests need on top, and run them; a failing test is an outcome too."""
    tools = place.project / "tools.txt"
    tools.write_text(tools_of((place.project / DEV_FILE).read_text("utf-8")), "utf-8")
    add = [program(place.environment, "pip"), "install", "-r", str(tools)]
    run_well(add, place.project, installer_variables(place.variables), INSTALL_TIMEOUT_S)
    tools.unlink()
    suite = [place.python, "-m", "pytest", "-q"]
    done = run(suite, place.project, place.variables, SUITE_TIMEOUT_S)
    outcome = closing_line(done.output)
    if outcome is None:
        raise PartFailed(reason_of(done.output))
    return Suite(round(done.seconds, 1), outcome)


def tools_of(dev_requirements: str) -> str:
    r"""The tools alone, without the app's own file that they come on top of.

    >>> tools_of("# for tests\n-r requirements.txt\npytest>=9\n")
    '# for tests\npytest>=9\n'
    """
    lines = dev_requirements.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("-r "))


def closing_line(output: str) -> str | None:
    r"""How pytest ended in its own words; None where it came to no end.

    >>> closing_line("..F\n==== 1 failed, 2 passed in 3.21s ====\n")
    '1 failed, 2 passed in 3.21s'
    """
    matches = [_CLOSING_LINE.match(line) for line in output.splitlines()]
    told = [match[1] for match in matches if match]
    return told[-1] if told else None


# Rows


def _provenance() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=PROJECT_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {"commit": commit.stdout.strip() or None, "date": date}


def merged(
    before: Iterable[dict[str, Any]], rows: Iterable[dict[str, Any]], key: Sequence[str]
) -> list[dict[str, Any]]:
    """The rows of before, those of the same key replaced; in the order of their keys."""
    kept = {tuple(row[name] for name in key): row for row in (*before, *rows)}
    return [kept[place] for place in sorted(kept)]


def keep(path: Path, part: str, row: dict[str, Any], key: Sequence[str]) -> None:
    """Put a row in the place of its earlier one, at once: what comes next may take an hour."""
    content = json.loads(path.read_text("utf-8")) if path.exists() else {}
    content = {"benchmark": "installs", "resolves": [], "installs": []} | content
    content[part] = merged(content[part], [row], key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _told_and_kept(path: Path, part: str, row: dict[str, Any], key: Sequence[str]) -> None:
    print(json.dumps(row), flush=True)
    keep(path, part, row, key)


def pairs_of(files: Iterable[str]) -> list[Pair]:
    """Every Python with each of these files."""
    return [Pair(python, file) for file in files for python in PYTHONS]


def pair_of(text: str) -> Pair:
    """A pair as the command line names it; ValueError for one that is not measured.

    >>> pair_of("3.13:requirements-cpu.txt")
    Pair(python='3.13', file='requirements-cpu.txt')
    """
    python, _, file = text.partition(":")
    if python not in PYTHONS or file not in (*APP_FILES, DEV_FILE):
        raise ValueError(text)
    return Pair(python, file)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.installs", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--only", type=pair_of, nargs="+", metavar="PYTHON:FILE", help="these pairs alone"
    )
    parser.add_argument("--no-resolve", action="store_true", help="install only")
    parser.add_argument("--no-install", action="store_true", help="resolve only")
    parser.add_argument("--installers", nargs="+", choices=INSTALLERS, default=list(INSTALLERS))
    parser.add_argument("--suites", action="store_true", help="run the tests in what pip installed")
    parser.add_argument("--out", type=Path, default=RESULTS / "installs.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    given = parsed(arguments)
    uv = find_uv()
    if uv is None:
        raise SystemExit(f"There is no uv here; it comes with {DEV_FILE}.")
    if not given.no_resolve:
        for row in resolved_rows(uv, given.only or pairs_of((*APP_FILES, DEV_FILE))):
            _told_and_kept(given.out, "resolves", row, RESOLVE_KEY)
    if not given.no_install:
        pairs = given.only or pairs_of(APP_FILES)
        for row in installed_rows(uv, pairs, given.installers, given.suites):
            _told_and_kept(given.out, "installs", row, INSTALL_KEY)


if __name__ == "__main__":
    main()
