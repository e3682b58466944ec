"""Names of files: what is shown of those that somebody chose, which are no photos, safe ones."""

import re
from pathlib import PurePath

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
DIRECTION_MARKS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""With them ``gpj.exe`` is shown as ``exe.jpg``."""
SIDE_FILES = frozenset((".ds_store", "thumbs.db", "desktop.ini"))
MAX_NAME_BYTES = 255
KEPT_ENDINGS = ("_enhanced", "_draft", "_original", "_preview", "_difference")
"""What tells files of one photo apart, also where its name is cut."""


def plain_name(name: str) -> str:
    """The name without what nobody sees and what turns other text around."""
    return DIRECTION_MARKS.sub("", CONTROLS.sub("_", name))


def is_side_file(name: str) -> bool:
    """Whether macOS or Windows writes a file of that name, or path, beside a person's own."""
    own = PurePath(name).name
    return own.startswith("._") or own.casefold() in SIDE_FILES


def safe_name(stem: str, suffix: str) -> str:
    """A file name of at most 255 bytes, with no part that a system reads as more than a name."""
    whole = stem.encode("utf-8", errors="replace").decode("utf-8")  # a lone surrogate becomes "?"
    plain = re.sub(r'[/\\:*?"<>|]', "_", plain_name(whole)).strip(". ") or "photo"
    encoded = plain.encode("utf-8")
    kept = encoded[: MAX_NAME_BYTES - len(suffix.encode())]
    ending = next((e.encode() for e in KEPT_ENDINGS if plain.endswith(e)), b"")
    if len(kept) < len(encoded):
        kept = kept[: len(kept) - len(ending)].decode("utf-8", errors="ignore").encode() + ending
    return kept.decode("utf-8") + suffix
