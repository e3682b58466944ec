"""``status``: the device, the precision and the networks at work."""

import json

from photoenhance_ui.cli.parser import ALL_DONE
from photoenhance_ui.engine.engine import open_engine
from photoenhance_ui.server.reports import status_report
from photoenhance_ui.settings import Settings


def status(settings: Settings) -> int:
    """Start an engine, print what ``/status`` of a server with these flags tells, and end."""
    with open_engine(settings) as engine:
        report = status_report(engine.facts(wait=True), engine.queue(), downloads=())
    print(json.dumps(report, indent=2))
    return ALL_DONE
