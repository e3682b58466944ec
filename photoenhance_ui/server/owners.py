"""Whose photo it is: a person who logged in, else the browser, by a token that it shows.

A token is ``ID.SIGNATURE``; only this server can make one, and because the secret is kept on
disk, a browser is still known after a restart. Who shows no token that was made here is a new
owner, each time: neither an address, which many may share, nor one password for all tells people
apart. Gradio's session hash is no owner: each call of a script has one of its own.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

SECRET_FILE = "owner-secret"  # noqa: S105 - a file's name
SECRET_BYTES = 32


@dataclass(frozen=True)
class Owners:
    """Makes tokens, and finds out whose they are."""

    secret: bytes = field(repr=False)

    @classmethod
    def with_secret_in(cls, folder: Path) -> "Owners":
        """Read the secret in ``folder``; the first start makes it, for this user alone."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / SECRET_FILE
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            kept = path.read_bytes()
            if len(kept) == SECRET_BYTES:
                return cls(kept)
        made = secrets.token_bytes(SECRET_BYTES)
        path.write_bytes(made)
        return cls(made)

    @property
    def storage_secret(self) -> str:
        """The key that scrambles the browser's storage; it is in the page, so it is not ours."""
        return hmac.new(self.secret, b"browser storage", hashlib.sha256).hexdigest()[:32]

    def new_token(self) -> str:
        """A token for a browser that has none."""
        identity = secrets.token_urlsafe(16)
        return f"{identity}.{self._signature(identity)}"

    def knows(self, token: object) -> bool:
        """Whether this server made the token."""
        if not isinstance(token, str):
            return False
        identity, dot, signature = token.partition(".")
        if not (dot and token.isascii()):
            return False
        return hmac.compare_digest(signature.encode(), self._signature(identity).encode())

    def owner(self, person: str | None, token: object) -> str:
        """The owner's name; the three kinds never meet."""
        if person:
            return f"user:{person}"
        if isinstance(token, str) and self.knows(token):
            return f"browser:{token.partition('.')[0]}"
        return f"stranger:{secrets.token_hex(16)}"

    def _signature(self, identity: str) -> str:
        return hmac.new(self.secret, identity.encode(), hashlib.sha256).hexdigest()
