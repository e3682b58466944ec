"""Who may bring networks to this server, and how a file of one's own is taken in."""

import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from photoenhance_ui.networks.trial import UNKNOWN, problem_of
from photoenhance_ui.replacing import replacing
from photoenhance_ui.settings import Settings
from photoenhance_ui.ui.door import is_local
from photoenhance_ui.ui.hosts import Address, is_loopback
from photoenhance_ui.ui.service import Service
from photoenhance_ui.ui.texts import Texts

FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
             "x-real-ip")  # fmt: skip
SUFFIXES = (".pth", ".safetensors", ".onnx")

_one_at_a_time = threading.Lock()
"""A trial takes memory and processors, and two files of one name would have one place."""


class Refused(Exception):
    """The file is not taken; the argument says why, for a person."""


def may_manage(settings: Settings, headers: Mapping[str, str]) -> bool:
    """Whether who asks may download networks and bring files.

    ``auto`` means whoever sits at this machine: the server listens on loopback alone, has no
    public link and was told of no proxy, and the request came through none.
    """
    if settings.manage_networks != "auto":
        return settings.manage_networks == "always"
    has_proxy = bool(settings.allowed_hosts or settings.root_path or settings.trusted_proxies)
    host = Address.of(headers.get("host", "localhost"))
    is_here = host is not None and is_loopback(host.name)
    came_straight = is_here and not any(name in headers for name in FORWARDED)
    return is_local(settings) and not has_proxy and came_straight


def take_network(service: Service, file: Path, say: Texts) -> str:
    """Put a file of one's own into the weights folder, once it ran; gives its name.

    Raises Refused, and leaves nothing behind, where it is no network that can be used. Until it
    ran it lies where no start looks for networks.
    """
    target = service.settings.weights_dir / file.name
    if file.suffix.lower() not in SUFFIXES:
        raise Refused(say("networks.own.suffix"))
    with _one_at_a_time:
        if os.path.lexists(target) or target.stem in service.engine.facts().upscalers:
            raise Refused(say("networks.own.there"))
        wrong = problem_of(file, service.settings)
        if wrong is not None:
            is_unknown = wrong[0] == UNKNOWN
            raise Refused(say("networks.own.unknown") if is_unknown else say.reason(*wrong))
        _put_to_use(service, file, target, say)
    return target.stem


def _put_to_use(service: Service, file: Path, target: Path, say: Texts) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part:
        shutil.copyfile(file, part)
    service.engine.networks_arrived()
    problem = _problem_of(service, target, say)
    if problem is not None:
        target.unlink()
        service.engine.networks_arrived()
        raise Refused(problem)


def _problem_of(service: Service, target: Path, say: Texts) -> str | None:
    """Why the file cannot be used; None where it can."""
    stock, facts = service.engine.inventory(), service.engine.facts()
    refused = (
        stock.refused.get(target.stem)
        or stock.refused.get(target.name)
        or facts.refused.get(target.stem)
    )
    if refused is not None:
        return say.reason(refused.code, refused.sentence)
    found = stock.installed.get(target.stem)
    if found is None or (found.known is None and target.stem not in facts.upscalers):
        return say("networks.own.unknown")
    return None
