"""The command line: one of the four doors, and the one for folders and scripts."""

import errno
import logging
import os
import sys
from collections.abc import Sequence

from photoenhance_ui.cli.parser import BROKEN_PIPE, CANCELLED, NOTHING_STARTED, make_parser
from photoenhance_ui.errors import InvalidOption, InvalidSetting, PhotoEnhanceError
from photoenhance_ui.settings import settings_from

__all__ = ["main"]

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; wrong usage leaves through SystemExit(2)."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # as of `models list | head -1`: whoever read has read enough
        return _closed(BROKEN_PIPE)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        print(f"The answer cannot be written ({error.strerror}).", file=sys.stderr)
        return _closed(NOTHING_STARTED)
    return code


def _closed(code: int) -> int:
    """Let nobody try to write what is left in the standard output; gives the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(arguments: Sequence[str] | None) -> int:
    """What a command needs is imported when it runs: help and wrong usage answer at once."""
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
            case "users":
                from photoenhance_ui.cli.users import users

                return users(given)
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
