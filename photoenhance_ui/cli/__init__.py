"""The command line: one of the four doors, and the one for folders and scripts."""

import logging
import sys
from collections.abc import Sequence

from photoenhance_ui.cli.parser import CANCELLED, NOTHING_STARTED, make_parser
from photoenhance_ui.errors import InvalidOption, InvalidSetting, PhotoEnhanceError
from photoenhance_ui.settings import settings_from

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; wrong usage leaves through SystemExit(2).

    What a command needs is imported when it runs, so that help and wrong usage answer at once.
    """
    parser = make_parser()
    given = parser.parse_args(arguments)
    try:
        settings = settings_from(vars(given))
    except InvalidSetting as error:
        parser.error(error.sentence)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        match given.command:
            case "enhance":
                from photoenhance_ui.cli.enhance import enhance

                return enhance(given, settings)
            case "models":
                from photoenhance_ui.cli.models import models

                return models(given, settings)
            case _:
                from photoenhance_ui.cli.status import status

                return status(settings)
    except InvalidOption as error:
        parser.error(error.sentence)
    except PhotoEnhanceError as error:
        print(error.sentence, file=sys.stderr)
        return NOTHING_STARTED
    except KeyboardInterrupt:
        print("Cancelled.", file=sys.stderr)
        return CANCELLED
