"""What is shown while photos are being enhanced: a bar on a terminal, else one line per photo."""

import sys
import time
from typing import TYPE_CHECKING, Protocol

from tqdm import tqdm

from photoenhance_ui.events import Row, Stage, State

if TYPE_CHECKING:
    from photoenhance_ui.batches.entries import Change

BAR = "{percentage:3.0f} %|{bar}| {desc} [{elapsed}, {remaining} left]"
PREPARING = ", a network is made ready (the first time here this may take minutes)"


class Progress(Protocol):
    """Shows how far a run is; everything goes to stderr."""

    def show(self, change: "Change") -> None:
        """Something happened to a photo."""
        ...

    def close(self) -> None:
        """Nothing more will happen."""
        ...


def progress_for(total: int, *, quiet: bool) -> Progress:
    """The one that fits: a bar needs a terminal."""
    if quiet:
        return Complaints()
    return Bar(total) if sys.stderr.isatty() else Lines(total)


class Complaints:
    """Names only the photos that failed, and says each warning once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def show(self, change: "Change") -> None:
        """Complain, where there is a reason to."""
        if change.row.state is State.FAILED:
            self.say(_told(change.row))
        self.warn(change.row)

    def warn(self, row: Row) -> None:
        """Say the row's warnings, each one once in a run."""
        for warning in row.warnings:
            if row.state.settled and warning not in self._said:
                self._said.add(warning)
                self.say(f"{row.name}: {warning}")

    def say(self, sentence: str) -> None:
        """Write a line."""
        print(sentence, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is open."""


class Lines(Complaints):
    """A line per settled photo, for logs."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self._total, self._settled = total, 0
        self._began = time.monotonic()

    def show(self, change: "Change") -> None:
        """Tell of settled photos."""
        self.warn(change.row)
        if not change.row.state.settled:
            return
        self._settled += 1
        each = (time.monotonic() - self._began) / self._settled
        left = tqdm.format_interval(each * max(self._total - self._settled, 0))
        self.say(f"[{self._settled}/{self._total}] {_told(change.row)} ({left} left)")


class Bar(Complaints):
    """A bar that also moves within a photo, by the tiles and faces that are done."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self._total, self._settled = total, 0
        self._shares: dict[str, float] = {}
        # smoothing=0: photos differ in size, the average over all is the best guess
        self._bar = tqdm(
            desc=f"0 of {total} photos", total=total, file=sys.stderr, bar_format=BAR, smoothing=0
        )

    def show(self, change: "Change") -> None:
        """Move on by what was done."""
        super().show(change)
        if change.row.state.settled:
            self._settled += 1
            self._shares.pop(change.photo_id, None)
        else:
            self._shares[change.photo_id] = change.row.progress
        done = min(self._settled + sum(self._shares.values()), self._total)
        ready = PREPARING if change.row.stage is Stage.PREPARING else ""
        told = f"{self._settled} of {self._total} photos{ready}"
        self._bar.set_description_str(told, refresh=False)
        self._bar.update(done - self._bar.n)

    def say(self, sentence: str) -> None:
        """Write a line above the bar."""
        self._bar.write(sentence, file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def _told(row: Row) -> str:
    if row.state is State.DONE:
        return f"{row.name}: {row.width} x {row.height} in {row.seconds:.1f} s"
    return f"{row.name}: {row.reason}"
