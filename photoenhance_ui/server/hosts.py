"""By which names the server is called, and which pages may speak to it.

Whoever knows the address of a server on this machine can have any web page send requests to it,
and a page whose own name leads here (DNS rebinding) can read the answers too. So a request counts
only where it was sent to one of the server's own names, and not by a page of another one.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

STANDARD_PORTS = {"http": 80, "https": 443}

_NETLOC = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True)
class Address:
    """A host and its port, as a Host header or an origin names them; None: the scheme's own."""

    name: str
    port: int | None = None

    @classmethod
    def of(cls, netloc: str) -> "Address | None":
        """The address that ``NAME[:PORT]`` means; None where it is none.

        >>> Address.of("LocalHost:7860")
        Address(name='localhost', port=7860)
        >>> Address.of("user@localhost") is None
        True
        """
        match = _NETLOC.fullmatch(netloc.strip().lower())
        if match is None:
            return None
        port = match["port"]
        return cls(match["name"], None if port is None else int(port))

    @classmethod
    def of_origin(cls, origin: str) -> "Address | None":
        """The address of an origin like ``https://NAME[:PORT]``; None for ``null`` and the like."""
        try:
            parts = urlsplit(origin)
        except ValueError:  # what looks like an IPv6 address and is none
            return None
        if parts.scheme not in STANDARD_PORTS or parts.path or parts.query or parts.fragment:
            return None
        address = cls.of(parts.netloc)
        if address is None or address.port != STANDARD_PORTS[parts.scheme]:
            return address
        return cls(address.name)

    def fits(self, other: "Address") -> bool:
        """Whether the other one is meant, at any port where this one names none."""
        return self.name == other.name and self.port in (None, other.port)


@dataclass
class Hosts:
    """The server's own names, and the origins of other pages that may speak to it."""

    is_local: bool
    """Whether only programs on this machine can reach the server."""
    named: list[Address] = field(default_factory=list)
    """By which it is called beside its own addresses: as its owner, a proxy or a tunnel says."""
    origins: tuple[str, ...] = ()

    def are_own(self, host: Address, port: int) -> bool:
        """Whether a request that names this host is meant for the server at this port.

        An address in numbers is nobody's name, so that no other page can be there: where others
        can reach the server, whichever they use is its own.
        """
        if any(named.fits(host) for named in self.named):
            return True
        if self.is_local:
            return is_loopback(host.name) and (host.port or STANDARD_PORTS["http"]) == port
        return host.name in ("localhost", *_names_of_machine()) or _number(host.name) is not None

    def may_speak(self, origin: str, host: Address, port: int) -> bool:
        """Whether a page of this origin may speak to the server, which it calls ``host``."""
        if origin in self.origins:
            return True
        address = Address.of_origin(origin)
        if address is None:
            return False
        if address == host or any(named.fits(address) for named in self.named):
            return True
        return self.is_local and self.are_own(address, port)

    def add_url(self, url: str) -> None:
        """Take in the name of a public address of the server."""
        address = Address.of_origin(url.rstrip("/"))
        if address is not None:
            self.named.append(address)


def is_loopback(name: str) -> bool:
    """Whether the name leads to this machine alone, whoever asks."""
    number = _number(name)
    return name == "localhost" or (number is not None and number.is_loopback)


def network_of(address: str) -> str:
    """The address, of IPv6 its /64 network, which one household has; "" where it is none.

    >>> network_of("2001:db8::1")
    '2001:db8::/64'
    """
    number = _number(address)
    if isinstance(number, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((number, 64), strict=False))
    return "" if number is None else str(number)


def _names_of_machine() -> tuple[str, str]:
    name = socket.gethostname().lower()
    return name, f"{name}.local"


def _number(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
