"""What a log may tell of an error: where it arose, and nothing of whose photo it was."""

import traceback
from pathlib import Path


def trace_of(error: BaseException) -> str:
    """Where an error and its causes arose, for the log; none of their words, which tell names."""
    frames = traceback.extract_tb(error.__traceback__)
    steps = " ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    before = error.__cause__ or error.__context__
    told = f"{type(error).__name__} [{steps}]"
    return told if before is None else f"{told} after {trace_of(before)}"
