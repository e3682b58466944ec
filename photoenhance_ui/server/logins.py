"""Who may log in: one password for all, or people of a file, with passwords or keys for scripts.

One password is a key to the door and tells nobody apart; people of a file are owners of their
photos.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from starlette.exceptions import HTTPException

from photoenhance_ui.server.hosts import network_of
from photoenhance_ui.server.users import (
    hash_of_key,
    hash_of_password,
    is_key,
    is_password,
    read_users,
)

FREE_TRIES = 5
"""Wrong passwords after which the next one has to wait."""
FREE_TRIES_OF_NAME = 25
"""The same for one name from anywhere, so that a stranger does not lock its owner out."""
MAX_WAIT_S, MAX_WAIT_OF_NAME_S = 300.0, 30.0
FORGOTTEN_S = 900.0
"""Seconds after the last wrong password until all of them are forgotten."""
MAX_REMEMBERED = 10_000

LOGIN_MESSAGE = (
    "Log in to PhotoEnhance. "
    f"After {FREE_TRIES} wrong passwords, each further try has to wait for a while."
)

ADDRESS: ContextVar[str] = ContextVar("address", default="")
"""The address that sent the request at hand; Gradio checks a password without telling it."""


@dataclass
class _Failures:
    count: int = 0
    last_s: float = 0.0


@dataclass
class Backoff:
    """How long the next try has to wait: twice as long after each wrong one. It is thread-safe."""

    free: int
    max_wait_s: float
    clock: Callable[[], float] = time.monotonic
    _failures: OrderedDict[str, _Failures] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_s(self, who: str) -> float:
        """Seconds until who may try again; 0: now."""
        with self._lock:
            failures = self._failures.get(who, _Failures())
        if failures.count < self.free:
            return 0.0
        wait_s = min(2.0 ** min(failures.count - self.free, 30), self.max_wait_s)
        return max(0.0, failures.last_s + wait_s - self.clock())

    def failed(self, who: str) -> None:
        """Count another wrong try."""
        now_s = self.clock()
        with self._lock:
            failures = self._failures.pop(who, _Failures())
            if now_s - failures.last_s > FORGOTTEN_S:
                failures = _Failures()
            self._failures[who] = _Failures(failures.count + 1, now_s)
            while len(self._failures) > MAX_REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, who: str) -> None:
        """Forget earlier mistakes."""
        with self._lock:
            self._failures.pop(who, None)


class Logins:
    """Checks names, passwords and keys, more slowly the more of them were wrong."""

    def __init__(self, secrets_of: Iterable[tuple[str, str]]) -> None:
        """``secrets_of``: names with what ``hash_of_password`` and ``hash_of_key`` gave."""
        self._passwords: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        for name, secret in secrets_of:
            if is_key(secret):
                self._keys[secret] = name
            else:
                self._passwords[name] = secret
        self._addresses = Backoff(FREE_TRIES, MAX_WAIT_S)
        self._names = Backoff(FREE_TRIES_OF_NAME, MAX_WAIT_OF_NAME_S)

    def check(self, name: str, password: str) -> bool:
        """Whether this is the person's password; HTTPException 429 where it is to wait."""
        backoffs = ((self._addresses, network_of(ADDRESS.get())), (self._names, name[:100]))
        wait_s = max(backoff.wait_s(who) for backoff, who in backoffs)
        if wait_s > 0:
            seconds = max(1, round(wait_s))
            raise HTTPException(
                429,
                f"There were too many wrong passwords. Try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )
        known = self._passwords.get(name)
        # Of a name that nobody has as much is worked out, so that time does not tell which exist.
        is_right = is_password(password, known or _NOBODYS) and known is not None
        if is_right:  # the address stays under suspicion: it may have guessed at other names
            self._names.succeeded(name[:100])
        else:
            for backoff, who in backoffs:
                backoff.failed(who)
        return is_right

    def name_of_key(self, key: str) -> str | None:
        """Whose key it is; None where it is nobody's."""
        return self._keys.get(hash_of_key(key))


def logins_of(auth: str, users: Path | None) -> Logins | None:
    """The logins that the settings ask for; None where everybody may come in.

    Raises InvalidSetting where the file of people cannot be read.
    """
    if users is not None:
        return Logins(read_users(users))
    name, colon, password = auth.partition(":")
    return Logins([(name, hash_of_password(password))]) if colon else None


_NOBODYS = hash_of_password(secrets.token_hex())
