"""What the requirements files ask for."""

from packaging.requirements import Requirement

from photoenhance_ui.settings import PROJECT_DIR


def lines_of(file: str) -> list[str]:
    text = (PROJECT_DIR / file).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def required(file: str) -> list[Requirement]:
    """What the file itself asks for, without the files that it names."""
    return [Requirement(line) for line in lines_of(file) if not line.startswith("-r ")]
