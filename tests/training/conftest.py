"""Training computes with torch: without it, there is nothing to test here."""

import importlib.util

HAS_TORCH = importlib.util.find_spec("torch") is not None
collect_ignore_glob = [] if HAS_TORCH else ["*"]


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [] if HAS_TORCH else ["tests/training is left out: torch is not installed"]
