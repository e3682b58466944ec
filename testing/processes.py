"""Programs measured from outside: how long they run, what memory they take, why they fail."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

LOOK_EVERY_S = 0.05
END_TIMEOUT_S = 20.0
MAX_REASON_CHARACTERS = 200
OWN_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
OWN_PREFIXES = ("PHOTOENHANCE_", "GRADIO_")

_ERROR = re.compile(r"^(?:ERROR|error): *")
_URL = re.compile(r"\b\w+://\S+")
_FOLDERS = re.compile(r"(?<![\w.])(?:/[\w.@+-]+)+/")


class PartFailed(Exception):
    """A part of a row could not be measured; the message is the reason, in one sentence."""


@dataclass(frozen=True)
class Finished:
    """A program that ended."""

    seconds: float
    code: int
    output: str
    """What it wrote to stdout and stderr."""
    peak_mb: float | None
    """Resident memory at most, without its children's; None where the system does not tell it."""


def run(
    command: Sequence[str], cwd: Path, variables: Mapping[str, str], timeout_s: float
) -> Finished:
    """Run a command to its end, whatever its exit code; raises PartFailed where it hangs."""
    began = time.perf_counter()
    with started(command, cwd, variables) as process:
        output = _Output(process)
        peak_mb = None
        while process.poll() is None:
            peak_mb = memory_mb(process.pid, "VmHWM") or peak_mb
            if time.perf_counter() - began > timeout_s:
                raise PartFailed(f"It did not end within {timeout_s:.0f} s.")
            time.sleep(LOOK_EVERY_S)
        seconds = time.perf_counter() - began
        return Finished(seconds, process.returncode, output.whole(), peak_mb)


def run_well(
    command: Sequence[str], cwd: Path, variables: Mapping[str, str], timeout_s: float
) -> Finished:
    """As ``run``; raises PartFailed with the command's own words where it ends with an error."""
    done = run(command, cwd, variables, timeout_s)
    if done.code != 0:
        raise PartFailed(reason_of(done.output))
    return done


@contextmanager
def started(
    command: Sequence[str], cwd: Path, variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A process with stdout and stderr as one; the block's end is its end and its children's."""
    process = subprocess.Popen(
        command, cwd=cwd, env=variables, text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # children that outlived it


class _Output:
    """What a process writes, read away at once so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        self.lines.extend(stream)

    @property
    def ended(self) -> bool:
        return not self._reader.is_alive()

    def whole(self) -> str:
        """All of it, once the process has ended."""
        self._reader.join(timeout=END_TIMEOUT_S)
        return "".join(self.lines)


def wait_for_line(process: subprocess.Popen[str], beginning: str, timeout_s: float) -> None:
    """Return when a line begins so; raises PartFailed with the process's words where none does."""
    output = _Output(process)
    end = time.monotonic() + timeout_s
    while not any(line.startswith(beginning) for line in list(output.lines)):
        if output.ended:
            raise PartFailed(reason_of(output.whole()))
        if time.monotonic() > end:
            raise PartFailed(f"It was not ready within {timeout_s:.0f} s.")
        time.sleep(LOOK_EVERY_S)


def reason_of(output: str) -> str:
    r"""The line of a failed command's output that says why, without folders and addresses.

    pip and uv say it in their last line that begins with "error", others in their last one; pytest
    puts an E before it.

    >>> reason_of("Collecting a\nERROR: No matching distribution found for a\nbye\n")
    'No matching distribution found for a'
    """
    lines = [line.removeprefix("E ").strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    line = _ERROR.sub("", (errors or lines or ["It ended without a word."])[-1])
    return _FOLDERS.sub("", _URL.sub("…", line))[:MAX_REASON_CHARACTERS]


def clean_variables(environment: Mapping[str, str], temporary: Path) -> dict[str, str]:
    """The environment without what concerns this process alone, and with another TMPDIR."""
    kept = {
        name: value
        for name, value in environment.items()
        if name not in OWN_VARIABLES and not name.startswith(OWN_PREFIXES)
    }
    return {**kept, "TMPDIR": str(temporary)}


def memory_mb(pid: int, key: str = "VmRSS") -> float | None:
    """Resident memory of a process now, or at most (``VmHWM``); None where nothing tells it."""
    kilobytes = _status(pid).get(key, "").removesuffix("kB").strip()
    return round(int(kilobytes) / 1024, 1) if kilobytes else None


def family_mb(pid: int) -> float | None:
    """Resident memory of a process and all that it started; None where nothing tells it."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    parents = {one: int(_status(one).get("PPid", "0")) for one in pids}
    sizes = [memory_mb(one) for one in descendants(pid, parents)]
    told = [size for size in sizes if size is not None]
    return round(sum(told), 1) if told else None


def descendants(pid: int, parents: Mapping[int, int]) -> set[int]:
    """A process with its children and theirs; ``parents`` maps each process to its parent.

    >>> sorted(descendants(2, {2: 1, 3: 2, 4: 3, 5: 1}))
    [2, 3, 4]
    """
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {key: value.strip() for key, _, value in pairs}
