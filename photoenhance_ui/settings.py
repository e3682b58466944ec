"""One frozen Settings, from flags and PHOTOENHANCE_ variables, validated once at the start."""

import argparse
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photoenhance_ui.errors import InvalidSetting

PROJECT_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = PROJECT_DIR / "state"
"""What a program keeps between starts and can lose."""
EMBEDDED_WEIGHTS_DIR = PROJECT_DIR / "weights"
"""Where the committed built-in network lies, whatever ``weights_dir`` says."""

DEVICES = ("auto", "cpu", "cuda", "mps")
MANAGING = ("auto", "always", "never")
PRECISIONS = ("auto", "exact", "fast")
FACE_DETECTORS = (
    "auto",
    "detection_Resnet50_Final",
    "detection_mobilenet0.25_Final",
    "face_detection_yunet_2023mar",
)
TILE_LADDER_PX = (512, 384, 256, 192, 128)
"""The only tile sizes there are, so that the same plan gives the same bytes."""


@dataclass(frozen=True)
class Flag:
    """One setting as flag, variable and line of the README."""

    name: str
    default: Any
    kind: type
    meaning: str
    choices: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    page_only: bool = False

    @property
    def option(self) -> str:
        """``--weights-dir`` for ``weights_dir``."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """``PHOTOENHANCE_WEIGHTS_DIR`` for ``weights_dir``."""
        return "PHOTOENHANCE_" + self.name.upper()


FLAGS: tuple[Flag, ...] = (
    Flag("host", "", str, "Address to listen on; empty: GRADIO_SERVER_NAME, else 127.0.0.1.",
         page_only=True),
    Flag("port", 0, int,
         "Port to listen on; 0: GRADIO_SERVER_PORT, else the first free one from 7860 on.",
         lowest=0, highest=65535, page_only=True),
    Flag("share", False, bool, "Ask Gradio for a public link.", page_only=True),
    Flag("auth", "", str,
         "USER:PASSWORD that the page asks for: one key for all; photos stay each browser's own.",
         page_only=True),
    Flag("users", "", str,
         "File of people who may log in, as `python -m photoenhance_ui users` writes it; photos "
         "are each person's own.", page_only=True),
    Flag("allowed_hosts", (), tuple,
         "Names, with or without a port, by which the server is called beside its own addresses; "
         "commas between them.", page_only=True),
    Flag("allowed_origins", (), tuple,
         "Origins like https://example.org whose pages may use the server; commas between them.",
         page_only=True),
    Flag("trusted_proxies", (), tuple,
         "Addresses of proxies whose X-Forwarded-For and -Proto count; commas between them.",
         page_only=True),
    Flag("root_path", "", str,
         "Path or whole address at which a proxy offers the server; empty: GRADIO_ROOT_PATH.",
         page_only=True),
    Flag("manage_networks", "auto", str,
         "Who may download networks and bring files on the page; `auto`: everybody where the "
         "server listens on this machine alone, without a public link or a proxy, else nobody.",
         choices=MANAGING, page_only=True),
    Flag("handlers", 3, int, "Batches that are worked on at once.", lowest=1, page_only=True),
    Flag("device", "auto", str, "Where the networks run.", choices=DEVICES),
    Flag("precision", "auto", str, "What the precision `auto` of a request means.",
         choices=PRECISIONS),
    Flag("fuse", False, bool,
         "Have torch.compile join the operations of networks that run in torch: all on a GPU; on a "
         "CPU only people's own upscalers of other architectures than those that are known. The "
         "first photo waits a minute, the next ones less; needs a compiler of C++."),
    Flag("weights_dir", EMBEDDED_WEIGHTS_DIR, Path, "Where network files are kept and looked for."),
    Flag("cache_dir", STATE_DIR / "networks", Path,
         "Where what was measured of networks is kept between starts."),
    Flag("trust_weights", False, bool,
         "Load a file with a known name and unknown bytes; every report then warns of it."),
    Flag("face_detector", "auto", str, "The network that finds faces.", choices=FACE_DETECTORS),
    Flag("tile_px", "auto", str, "Side of a tile in pixels; `auto`: by device.",
         choices=("auto", *(str(px) for px in TILE_LADDER_PX))),
    Flag("offline", False, bool, "Never download anything."),
    Flag("in_flight", 3, int, "Photos of one person that are read, worked on or written at once.",
         lowest=1),
    Flag("max_megabytes", 50.0, float, "Largest file that is read, in MB.", lowest=0.001),
    Flag("max_megapixels", 64.0, float, "Largest photo that is read, in millions of pixels.",
         lowest=0.001),
    Flag("max_output_megapixels", 256.0, float,
         "Largest result, in millions of pixels; a larger scale is lowered.", lowest=0.001),
    Flag("max_photos", 200, int, "Photos in one batch.", lowest=1),
    Flag("max_waiting_photos", 2000, int,
         "Photos of one person (without `--users`: of one address) that wait or are worked on at "
         "once, in all batches; at least `--max-photos`.",
         lowest=1, page_only=True),
    Flag("max_waiting_megabytes", 20000.0, float, "The same in MB of their files.",
         lowest=0.001, page_only=True),
    Flag("max_waiting_megapixels", 50000.0, float, "The same in millions of pixels.",
         lowest=0.001, page_only=True),
    Flag("max_calls_per_minute", 3000, int,
         "How often one person, or one address, may send photos within a minute.",
         lowest=1, page_only=True),
    Flag("keep_hours", 24.0, float,
         "Hours for which results and uploads stay on the server after their batch ended.",
         lowest=0, page_only=True),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Everything that is fixed for as long as the program runs. Fields: see FLAGS."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: the first free one from 7860 on."""
    share: bool = False
    auth: str = ""
    users: str = ""
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    root_path: str = ""
    manage_networks: str = "auto"
    handlers: int = 3
    device: str = "auto"
    precision: str = "auto"
    fuse: bool = False
    weights_dir: Path = EMBEDDED_WEIGHTS_DIR
    cache_dir: Path = STATE_DIR / "networks"
    trust_weights: bool = False
    face_detector: str = "auto"
    tile_px: str = "auto"
    offline: bool = False
    in_flight: int = 3
    max_megabytes: float = 50.0
    max_megapixels: float = 64.0
    max_output_megapixels: float = 256.0
    max_photos: int = 200
    max_waiting_photos: int = 2000
    max_waiting_megabytes: float = 20000.0
    max_waiting_megapixels: float = 50000.0
    max_calls_per_minute: int = 3000
    keep_hours: float = 24.0

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


def add_flags(parser: argparse.ArgumentParser, *, page: bool) -> None:
    """Give ``parser`` every flag; those of the page alone only where ``page`` is true.

    Defaults are suppressed, so that a flag that is not given leaves room for its variable.
    """
    for flag in FLAGS:
        if flag.page_only and not page:
            continue
        if flag.kind is bool:
            parser.add_argument(
                flag.option,
                action=argparse.BooleanOptionalAction,
                default=argparse.SUPPRESS,
                help=flag.meaning,
            )
        else:
            parser.add_argument(
                flag.option,
                metavar=flag.name.rsplit("_", 1)[-1].upper(),
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
    values: dict[str, Any] = {}
    for flag in FLAGS:
        if flag.name in given:
            values[flag.name] = _parsed(flag, given[flag.name], flag.option)
        elif environment.get(flag.variable, "") != "":
            values[flag.name] = _parsed(flag, environment[flag.variable], flag.variable)
        else:
            values[flag.name] = flag.default
    values["host"] = values["host"] or environment.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    values["port"] = values["port"] or _port_of_gradio(environment)
    values["root_path"] = values["root_path"] or environment.get("GRADIO_ROOT_PATH", "")
    values["root_path"] = values["root_path"].rstrip("/")
    if values["root_path"] and not values["root_path"].startswith(("/", "http://", "https://")):
        raise InvalidSetting(
            "--root-path needs a path like /photos, or https://example.org/photos."
        )
    for proxy in values["trusted_proxies"]:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise InvalidSetting(
                "--trusted-proxies needs addresses or networks like 127.0.0.1 or 10.0.0.0/8."
            ) from error
    if values["auth"] and not all(values["auth"].partition(":")[::2]):
        raise InvalidSetting("--auth needs the form USER:PASSWORD.")
    if values["auth"] and values["users"]:
        raise InvalidSetting("--auth and --users exclude each other.")
    for name in ("weights_dir", "cache_dir"):
        if values[name].exists() and not values[name].is_dir():
            raise InvalidSetting(f"--{name.replace('_', '-')}: {values[name]} is no folder.")
    if values["max_output_megapixels"] < values["max_megapixels"]:
        raise InvalidSetting(
            "--max-output-megapixels must be at least as large as --max-megapixels: "
            "a result is never smaller than its photo."
        )
    return Settings(**values)


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


def _port_of_gradio(environment: Mapping[str, str]) -> int:
    port = next(flag for flag in FLAGS if flag.name == "port")
    given = environment.get("GRADIO_SERVER_PORT") or "0"
    return int(_number(port, given, "GRADIO_SERVER_PORT"))


def _parsed(flag: Flag, value: Any, source: str) -> Any:
    if flag.kind is bool:
        return value if isinstance(value, bool) else _truth(value, source)
    if flag.choices:
        if str(value) not in flag.choices:
            raise InvalidSetting(
                f"{source} must be one of {', '.join(flag.choices)}, not {str(value)!r}."
            )
        return str(value)
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


def _number(flag: Flag, value: Any, source: str) -> int | float:
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
