"""What can be typed: commands and flags, made from the options and settings themselves.

Imports nothing heavy: help and wrong usage are answered from here alone.
"""

import argparse
from pathlib import Path

from photoenhance_ui import __version__
from photoenhance_ui.options import Option
from photoenhance_ui.request import OPTIONS, PRESETS
from photoenhance_ui.settings import FLAGS, add_flags

ALL_DONE = 0
NOTHING_STARTED = 1
WRONG_USAGE = 2
SOME_FAILED = 3
CANCELLED = 130
"""128 + SIGINT: what shells expect of a command that Ctrl-C ended."""
BROKEN_PIPE = 141
"""128 + SIGPIPE: what they expect of one whose reader has gone."""

EXIT_CODES = {
    ALL_DONE: "all done",
    NOTHING_STARTED: "nothing could start",
    WRONG_USAGE: "wrong usage",
    SOME_FAILED: "some or all photos failed; the others are there, the reasons in the report",
    CANCELLED: "cancelled by Ctrl-C; what was done is there",
}

_SETTINGS = {flag.name for flag in FLAGS}


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands. Flags that are not given are absent from its result."""
    parser = argparse.ArgumentParser(
        prog="python -m photoenhance_ui",
        description="PhotoEnhance: photos in, better photos out.",
        epilog="Exit codes: " + "; ".join(f"{code} {word}" for code, word in EXIT_CODES.items()),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_enhance(commands)
    _add_models(commands)
    _add_users(commands)
    status = commands.add_parser(
        "status", help="show the device and the networks at work", allow_abbrev=False
    )
    _add_settings(status)
    return parser


def _add_enhance(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "enhance",
        help="enhance photos and folders of photos",
        description="Results are named NAME_enhanced.EXT; folders keep their structure.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="a photo, or a folder of photos"
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="where the results go"
    )
    parser.add_argument("--recursive", action="store_true", help="take the folders' folders too")
    parser.add_argument(
        "--resume", action="store_true", help="skip photos whose result is there already"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE.jsonl",
        help="write one line of JSON per photo, as it settles; with --resume, lines are added",
    )  # fmt: skip
    parser.add_argument(
        "--quiet", action="store_true", help="no progress; only photos that failed are named"
    )
    options = parser.add_argument_group("what is done")
    options.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        help="fill the options below; those that are given beside it win",
    )
    for option in OPTIONS:
        if option.name not in _SETTINGS:  # one --precision serves the request and the setting
            _add_option(options, option)
    _add_settings(parser)


def _add_option(group: "argparse._ArgumentGroup", option: Option) -> None:
    meaning = option.meaning.replace("%", "%%")
    default = f" (default: {option.default})"
    if option.kind is bool:
        group.add_argument(
            option.flag,
            action=argparse.BooleanOptionalAction,
            default=argparse.SUPPRESS,
            help=meaning + default,
        )
        return
    group.add_argument(
        option.flag,
        type=option.kind if option.kind in (int, float) else str,
        choices=[str(choice) for choice in option.choices] or None,
        metavar=None if option.choices else option.metavar,
        default=argparse.SUPPRESS,
        help=meaning + default,
    )


def _add_models(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("models", help="list, download or verify network files")
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    listing = tasks.add_parser("list", help="what is known and what is here", allow_abbrev=False)
    download = tasks.add_parser(
        "download",
        help="fetch the named files; without a name, those that auto wants on this machine",
        allow_abbrev=False,
    )
    download.add_argument("names", nargs="*", metavar="NAME", help="a name as `models list` shows")
    verify = tasks.add_parser(
        "verify", help="check every file that is here by size and SHA-256", allow_abbrev=False
    )
    for task in (listing, download, verify):
        _add_settings(task)


def _add_users(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "users",
        help="write a line for the file of --users",
        description="Prints one line to be added to the file that app.py takes as --users.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "kind", choices=("password", "key"), help="what the person or their script shows"
    )
    parser.add_argument("name", metavar="NAME", help="whose it is")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    add_flags(parser, page=False)
