"""``users``: a line of the file of people who may log in to the page."""

import argparse
import getpass
import sys

from photoenhance_ui.cli.parser import ALL_DONE
from photoenhance_ui.errors import InvalidOption
from photoenhance_ui.server.users import hash_of_key, hash_of_password, new_key

MIN_CHARACTERS = 8


def users(given: argparse.Namespace) -> int:
    """Print the line for a password that is typed, or for a key that is made and told once."""
    if not given.name.strip() or ":" in given.name or not given.name.isprintable():
        raise InvalidOption(f"{given.name!r} is no name: it may hold no colon, and is not empty.")
    secret = _password() if given.kind == "password" else _key()
    print(f"{given.name.strip()}:{secret}")
    return ALL_DONE


def _password() -> str:
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else input()
    if sys.stdin.isatty() and getpass.getpass("The same again: ") != password:
        raise InvalidOption("These were two different passwords.")
    if len(password) < MIN_CHARACTERS:
        raise InvalidOption(f"A password needs at least {MIN_CHARACTERS} characters.")
    return hash_of_password(password)


def _key() -> str:
    key = new_key()
    print(f"The key is {key} - it is not shown again.", file=sys.stderr)
    return hash_of_key(key)
