"""Names of files, as somebody else chose them: what is shown of them, and which are no photos."""

import re
from pathlib import PurePath

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
DIRECTION_MARKS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""With them ``gpj.exe`` is shown as ``exe.jpg``."""
SIDE_FILES = frozenset((".ds_store", "thumbs.db", "desktop.ini"))


def plain_name(name: str) -> str:
    """The name without what nobody sees and what turns other text around."""
    return DIRECTION_MARKS.sub("", CONTROLS.sub("_", name))


def is_side_file(name: str) -> bool:
    """Whether macOS or Windows writes a file of that name, or path, beside a person's own."""
    own = PurePath(name).name
    return own.startswith("._") or own.casefold() in SIDE_FILES
