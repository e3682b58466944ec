"""Small pieces of HTML and addresses that several parts of the page use."""

from html import escape
from pathlib import Path
from urllib.parse import quote


def file_address(path: Path) -> str:
    """Where the page finds a file of this server; relative, so that a prefix does no harm."""
    return f"gradio_api/file={quote(str(path))}"


def progress_bar(share: float, label: str) -> str:
    """A bar of ``share`` between 0 and 1, which a screen reader reads with its label."""
    percent = round(100 * share)
    return (
        f'<progress max="100" value="{percent}" aria-label="{escape(label)}">{percent} %</progress>'
    )
