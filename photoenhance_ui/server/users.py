"""People who may log in: a file that holds a line ``NAME:SECRET`` for each password and each key.

The secret itself is not in it: of a password its scrypt hash (RFC 7914), of a key, which is random
and long, its SHA-256.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from photoenhance_ui.errors import InvalidSetting

SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
"""Cost, block size and parallelism that RFC 7914 suggests for logins: 16 MB, some 50 ms."""
SALT_BYTES, HASH_BYTES, KEY_BYTES = 16, 32, 32
KEY_PREFIX = "pe_"
PASSWORD_KIND, KEY_KIND = "scrypt", "sha256"


def read_users(path: Path) -> list[tuple[str, str]]:
    """The names and secrets of a file of people. Raises InvalidSetting."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"--users: {path} cannot be read ({type(error).__name__}).") from error
    users = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, secret = line.strip().partition(":")
        if not (name and colon and _is_secret(secret)):
            raise InvalidSetting(
                f"--users: line {number} of {path} is no NAME:SECRET as "
                "`python -m photoenhance_ui users` writes it."
            )
        users.append((name, secret))
    if not users:
        raise InvalidSetting(f"--users: there is nobody in {path}.")
    return users


def hash_of_password(password: str) -> str:
    """``scrypt$SALT$HASH`` in hexadecimal, with a new salt."""
    salt = secrets.token_bytes(SALT_BYTES)
    return f"{PASSWORD_KIND}${salt.hex()}${_scrypt(password, salt).hex()}"


def new_key() -> str:
    """A key for scripts."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def hash_of_key(key: str) -> str:
    """``sha256$HASH`` in hexadecimal: a key is random, so that nothing slow is needed."""
    return f"{KEY_KIND}${hashlib.sha256(key.encode()).hexdigest()}"


def is_key(secret: str) -> bool:
    """Whether the secret is that of a key, and not of a password."""
    return secret.startswith(f"{KEY_KIND}$")


def _is_secret(text: str) -> bool:
    kind, *parts = text.split("$")
    try:
        lengths = [len(bytes.fromhex(part)) for part in parts]
    except ValueError:
        return False
    return (kind, lengths) in ((PASSWORD_KIND, [SALT_BYTES, HASH_BYTES]), (KEY_KIND, [HASH_BYTES]))


def is_password(password: str, secret: str) -> bool:
    """Whether the secret is that of this password."""
    _, salt, expected = secret.split("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)).hex(), expected)


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=SCRYPT_N,
        r=SCRYPT_R,
        p=SCRYPT_P,
        dklen=HASH_BYTES,
    )
