"""Photos as they may stand, for the tests of what the page shows."""

import re

from photoenhance_ui.events import Row, Stage, State

DONE = Row(
    "done.jpg", State.DONE, progress=1.0, width=200, height=100, faces=2, networks=("net",),
    precision="exact", seconds=1.25, faithfulness_db=40.25, output="/r/done_enhanced.jpg",
)  # fmt: skip
FAILED = Row("bad.jpg", State.FAILED, code="not_a_photo", reason="This is no photo.")
CANCELLED = Row("gone.jpg", State.CANCELLED, code="cancelled", reason="It was cancelled.")
WORKING = Row("now.jpg", State.WORKING, stage=Stage.ENLARGING, progress=0.5)
QUEUED = Row("later.jpg", stage=Stage.WAITING)
EVERY = [DONE, FAILED, CANCELLED, WORKING, QUEUED]
NASTY = "<img src=x onerror=alert(1)>\"'&"


def words(html: str) -> str:
    """The text of a piece of HTML, without its tags."""
    return re.sub(r"<[^>]+>", " ", html)
