"""Who may bring networks to this server, and how a network file of one's own is installed."""

import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from photoenhance_ui.networks.trial import UNKNOWN, problem_of
from photoenhance_ui.replacing import replacing
from photoenhance_ui.server.deployment import is_local
from photoenhance_ui.server.hosts import Address, is_loopback
from photoenhance_ui.server.service import Service
from photoenhance_ui.settings import Settings

FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
             "x-real-ip")  # fmt: skip
SUFFIXES = (".pth", ".safetensors", ".onnx")

NOT_A_NETWORK = ("not_a_network", "Only .pth, .safetensors and .onnx files are networks.")
NAME_TAKEN = ("network_name_taken", "There is a network of that name already.")
UNKNOWN_NETWORK = ("network_unknown", "it could not be loaded as an upscaler.")
"""Why a file is refused: its code, and its sentence."""

_one_at_a_time = threading.Lock()
"""A trial takes memory and processors, and two files of one name would have one place."""


class NetworkRefused(Exception):
    """The file is not installed; has a code that never changes, and a sentence that says why."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


def may_manage(settings: Settings, headers: Mapping[str, str]) -> bool:
    """Whether who asks may download networks and bring files.

    ``auto`` means whoever sits at this machine: the server listens on loopback alone, has no
    public link and names no proxy, and the request came through none.
    """
    if settings.manage_networks != "auto":
        return settings.manage_networks == "always"
    has_proxy = bool(settings.allowed_hosts or settings.root_path or settings.trusted_proxies)
    host = Address.of(headers.get("host", "localhost"))
    is_here = host is not None and is_loopback(host.name)
    came_straight = is_here and not any(name in headers for name in FORWARDED)
    return is_local(settings) and not has_proxy and came_straight


def install_network(service: Service, file: Path) -> str:
    """Put a file of one's own into the weights folder, once it ran; gives its name.

    Raises NetworkRefused, and leaves nothing behind, where it is no network that can be used.
    Until it ran it lies where no start looks for networks.
    """
    target = service.settings.weights_dir / file.name
    if file.suffix.lower() not in SUFFIXES:
        raise NetworkRefused(*NOT_A_NETWORK)
    with _one_at_a_time:
        if os.path.lexists(target) or target.stem in service.engine.facts().upscalers:
            raise NetworkRefused(*NAME_TAKEN)
        wrong = problem_of(file, service.settings)
        if wrong is not None:
            raise NetworkRefused(*(UNKNOWN_NETWORK if wrong[0] == UNKNOWN else wrong))
        _put_to_use(service, file, target)
    return target.stem


def _put_to_use(service: Service, file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        shutil.copyfile(file, part)
    service.engine.networks_arrived()
    problem = _problem_of(service, target)
    if problem is not None:
        target.unlink()
        service.engine.networks_arrived()
        raise problem


def _problem_of(service: Service, target: Path) -> NetworkRefused | None:
    """Why the file cannot be used; None where it can."""
    stock, facts = service.engine.inventory(), service.engine.facts()
    refused = (
        stock.refused.get(target.stem)
        or stock.refused.get(target.name)
        or facts.refused.get(target.stem)
    )
    if refused is not None:
        return NetworkRefused(refused.code, refused.sentence)
    found = stock.installed.get(target.stem)
    if found is None or (found.known is None and target.stem not in facts.upscalers):
        return NetworkRefused(*UNKNOWN_NETWORK)
    return None
