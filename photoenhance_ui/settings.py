"""One frozen Settings, from flags and PHOTOENHANCE_ variables, validated once at the start."""

import argparse
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoenhance_ui.catalogue import DETECTORS
from photoenhance_ui.errors import InvalidSetting
from photoenhance_ui.options import Option, option_field, options_of
from photoenhance_ui.request import Precision

PROJECT_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = PROJECT_DIR / "state"
"""What a program keeps between starts and can lose."""
EMBEDDED_WEIGHTS_DIR = PROJECT_DIR / "weights"
"""Where the committed built-in network lies, whatever ``weights_dir`` says."""

DEVICES = ("auto", "cpu", "cuda", "mps")
MANAGING = ("auto", "always", "never")
TILE_LADDER_PX = (512, 384, 256, 192, 128)
"""The only tile sizes there are, so that the same plan gives the same bytes."""


@dataclass(frozen=True)
class Settings:
    """Everything that is fixed for as long as the program runs."""

    host: str = option_field(
        "127.0.0.1",
        "Address to listen on; where it is not given, GRADIO_SERVER_NAME counts.",
        page_only=True,
        fallback="GRADIO_SERVER_NAME",
    )
    port: int = option_field(
        0,
        "Port to listen on; 0: GRADIO_SERVER_PORT, else the first free one from 7860 on.",
        lowest=0,
        highest=65535,
        page_only=True,
        fallback="GRADIO_SERVER_PORT",
    )
    share: bool = option_field(False, "Ask Gradio for a public link.", page_only=True)
    auth: str = option_field(
        "",
        "USER:PASSWORD that the page asks for: one key for all; photos stay each browser's own.",
        page_only=True,
    )
    users: str = option_field(
        "",
        "File of people who may log in, as `python -m photoenhance_ui users` writes it; "
        "photos are each person's own.",
        page_only=True,
    )
    allowed_hosts: tuple[str, ...] = option_field(
        (),
        "Names, with or without a port, by which the server is called beside its own "
        "addresses; commas between them.",
        page_only=True,
    )
    allowed_origins: tuple[str, ...] = option_field(
        (),
        "Origins like https://example.org whose pages may use the server; commas between them.",
        page_only=True,
    )
    trusted_proxies: tuple[str, ...] = option_field(
        (),
        "Addresses of proxies whose X-Forwarded-For and -Proto count; commas between them.",
        page_only=True,
    )
    root_path: str = option_field(
        "",
        "Path or whole address at which a proxy offers the server; empty: GRADIO_ROOT_PATH.",
        page_only=True,
        fallback="GRADIO_ROOT_PATH",
    )
    manage_networks: str = option_field(
        "auto",
        "Who may download networks and bring files on the page; `auto`: everybody where the "
        "server listens on this machine alone, without a public link or a proxy, else nobody.",
        choices=MANAGING,
        page_only=True,
    )
    handlers: int = option_field(3, "Batches that are worked on at once.", lowest=1, page_only=True)
    device: str = option_field("auto", "Where the networks run.", choices=DEVICES)
    precision: str = option_field(
        Precision.AUTO.value,
        "What the precision `auto` of a request means.",
        choices=tuple(Precision),
    )
    fuse: bool = option_field(
        False,
        "Have torch.compile join the operations of networks that run in torch: all on a GPU; "
        "on a CPU only people's own upscalers of other architectures than those that are "
        "known. The first photo waits a minute, the next ones less; needs a compiler of C++.",
    )
    weights_dir: Path = option_field(
        EMBEDDED_WEIGHTS_DIR, "Where network files are kept and looked for."
    )
    cache_dir: Path = option_field(
        STATE_DIR / "networks", "Where what was measured of networks is kept between starts."
    )
    trust_weights: bool = option_field(
        False, "Load a file with a known name and unknown bytes; every report then warns of it."
    )
    face_detector: str = option_field(
        "auto", "The network that finds faces.", choices=("auto", *DETECTORS)
    )
    tile_px: str = option_field(
        "auto",
        "Side of a tile in pixels; `auto`: by device.",
        choices=("auto", *map(str, TILE_LADDER_PX)),
    )
    offline: bool = option_field(False, "Never download anything.")
    in_flight: int = option_field(
        3, "Photos of one person that are read, worked on or written at once.", lowest=1
    )
    max_megabytes: float = option_field(50.0, "Largest file that is read, in MB.", lowest=0.001)
    max_megapixels: float = option_field(
        64.0, "Largest photo that is read, in millions of pixels.", lowest=0.001
    )
    max_output_megapixels: float = option_field(
        256.0, "Largest result, in millions of pixels; a larger scale is lowered.", lowest=0.001
    )
    max_photos: int = option_field(200, "Photos in one batch.", lowest=1)
    max_waiting_photos: int = option_field(
        2000,
        "Photos of one person (without `--users`: of one address) that wait or are worked on "
        "at once, in all batches; at least `--max-photos`.",
        lowest=1,
        page_only=True,
    )
    max_waiting_megabytes: float = option_field(
        20000.0, "The same in MB of their files.", lowest=0.001, page_only=True
    )
    max_waiting_megapixels: float = option_field(
        50000.0, "The same in millions of pixels.", lowest=0.001, page_only=True
    )
    max_calls_per_minute: int = option_field(
        3000,
        "How often one person, or one address, may send photos within a minute.",
        lowest=1,
        page_only=True,
    )
    keep_hours: float = option_field(
        24.0,
        "Hours for which results and uploads stay on the server after their batch ended.",
        lowest=0,
        page_only=True,
    )

    @property
    def max_bytes(self) -> int:
        """Largest file in bytes (1 MB = 1,000,000 bytes)."""
        return int(self.max_megabytes * 1e6)

    @property
    def max_pixels(self) -> int:
        """Largest input in pixels."""
        return int(self.max_megapixels * 1e6)

    @property
    def max_output_pixels(self) -> int:
        """Largest result in pixels."""
        return int(self.max_output_megapixels * 1e6)


FLAGS = options_of(Settings)


def add_flags(parser: argparse.ArgumentParser, *, page: bool) -> None:
    """Give ``parser`` every flag; those of the page alone only where ``page`` is true.

    Defaults are suppressed, so that a flag that is not given leaves room for its variable.
    """
    for flag in FLAGS:
        if flag.page_only and not page:
            continue
        if flag.kind is bool:
            parser.add_argument(
                flag.flag,
                action=argparse.BooleanOptionalAction,
                default=argparse.SUPPRESS,
                help=flag.meaning,
            )
        else:
            parser.add_argument(
                flag.flag,
                metavar=flag.metavar,
                default=argparse.SUPPRESS,
                help=flag.meaning + (f" One of: {', '.join(flag.choices)}." * bool(flag.choices)),
            )


def settings_from(
    given: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> Settings:
    """Settings from ``given`` (parsed flags), then the variables, then the defaults.

    Raises InvalidSetting with a sentence that names the flag or the variable.
    """
    environment = os.environ if environment is None else environment
    values = {flag.name: _value(flag, given, environment) for flag in FLAGS}
    values["root_path"] = values["root_path"].rstrip("/")
    settings = Settings(**values)
    _check(settings)
    return settings


def _value(flag: Option, given: Mapping[str, Any], environment: Mapping[str, str]) -> Any:
    """What was chosen for one setting; a fallback counts where that is nothing, or empty."""
    value = None
    if flag.name in given:
        value = _parsed(flag, given[flag.name], flag.flag)
    elif environment.get(flag.variable):
        value = _parsed(flag, environment[flag.variable], flag.variable)
    if flag.fallback and not value:
        other = environment.get(flag.fallback)
        value = _parsed(flag, other, flag.fallback) if other else None
    return flag.default if value is None else value


def _check(settings: Settings) -> None:
    """Refuse what cannot be meant, or not together."""
    path = settings.root_path
    if path and not path.startswith(("/", "http://", "https://")):
        raise InvalidSetting(
            "--root-path needs a path like /photos, or https://example.org/photos."
        )
    for proxy in settings.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise InvalidSetting(
                "--trusted-proxies needs addresses or networks like 127.0.0.1 or 10.0.0.0/8."
            ) from error
    if settings.auth and not all(settings.auth.partition(":")[::2]):
        raise InvalidSetting("--auth needs the form USER:PASSWORD.")
    if settings.auth and settings.users:
        raise InvalidSetting("--auth and --users exclude each other.")
    for flag in FLAGS:
        folder = getattr(settings, flag.name)
        if isinstance(folder, Path) and folder.exists() and not folder.is_dir():
            raise InvalidSetting(f"{flag.flag}: {folder} is no folder.")
    if settings.max_output_megapixels < settings.max_megapixels:
        raise InvalidSetting(
            "--max-output-megapixels must be at least as large as --max-megapixels: "
            "a result is never smaller than its photo."
        )


def parse_settings(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Settings of the page from the command line."""
    parser = argparse.ArgumentParser(
        prog="app.py", description="PhotoEnhance: the page.", allow_abbrev=False
    )
    add_flags(parser, page=True)
    try:
        return settings_from(vars(parser.parse_args(arguments)), environment)
    except InvalidSetting as error:
        parser.error(error.sentence)


def _parsed(flag: Option, value: Any, source: str) -> Any:
    if flag.kind is bool:
        return value if isinstance(value, bool) else _truth(value, source)
    if flag.choices:
        if str(value) not in flag.choices:
            raise InvalidSetting(
                f"{source} must be one of {', '.join(flag.choices)}, not {str(value)!r}."
            )
        return flag.kind(str(value))
    if flag.kind is Path:
        try:
            return Path(value).expanduser().resolve()
        except (RuntimeError, ValueError, OSError) as error:
            raise InvalidSetting(f"{source} is no path: {str(value)!r} ({error}).") from error
    if flag.kind is str:
        return str(value)
    if flag.kind is tuple:
        return tuple(part.strip() for part in str(value).split(",") if part.strip())
    return _number(flag, value, source)


def _truth(value: str, source: str) -> bool:
    word = value.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise InvalidSetting(f"{source} must be true or false, not {value!r}.")


def _number(flag: Option, value: Any, source: str) -> int | float:
    kind = "a whole number" if flag.kind is int else "a number"
    try:
        number: int | float = flag.kind(value)
    except ValueError:
        raise InvalidSetting(f"{source} must be {kind}, not {value!r}.") from None
    if flag.lowest is not None and not flag.lowest <= number < float("inf"):
        raise InvalidSetting(f"{source} must be at least {flag.lowest:g}, not {value!r}.")
    if flag.highest is not None and number > flag.highest:
        raise InvalidSetting(f"{source} must be at most {flag.highest:g}, not {value!r}.")
    return number
