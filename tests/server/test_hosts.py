"""By which names a server is called, and which pages may speak to it."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.server.hosts import Address, Hosts

PORT = 7860


def own(hosts: Hosts, netloc: str) -> bool:
    address = Address.of(netloc)
    return address is not None and hosts.are_own(address, PORT)


def speaks(hosts: Hosts, origin: str, host: str) -> bool:
    address = Address.of(host)
    assert address is not None
    return hosts.may_speak(origin, address, PORT)


LOCAL, REACHED = Hosts(is_local=True), Hosts(is_local=False)


@pytest.mark.parametrize(
    "host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "LOCALHOST:7860"]
)
def test_on_this_machine_it_goes_by_the_machines_names_and_its_port(host: str) -> None:
    assert own(LOCAL, host)
    assert not own(LOCAL, host.replace("7860", "7861"))


@pytest.mark.parametrize(
    "host",
    [
        "evil.test:7860", "x.localhost:7860", "localhost.:7860", "localhost.evil.test:7860",
        "127.0.0.1.nip.io:7860", "10.0.0.1:7860", "0.0.0.0:7860", "localhost", "",
        "a@localhost:7860", "localhost:7860:7860", "localhost:786o", "[localhost]:7860", "::1",
    ],
)  # fmt: skip
def test_on_this_machine_it_goes_by_no_other_name(host: str) -> None:
    assert not own(LOCAL, host)


def test_where_others_reach_it_any_address_in_numbers_is_its_own_and_names_are_not() -> None:
    name = socket.gethostname().lower()
    for host in (
        "10.0.0.1",
        "192.168.1.5:80",
        "[fe80::1]:7860",
        "localhost:1",
        name,
        f"{name}.local",
    ):
        assert own(REACHED, host)
    for host in ("evil.test", f"{name}.evil.test", "localhost.evil.test"):
        assert not own(REACHED, host)


def test_a_name_that_is_given_counts_at_its_port_or_at_any() -> None:
    hosts = Hosts(True, [Address("photos.test"), Address("other.test", 8443)])
    assert own(hosts, "photos.test")
    assert own(hosts, "photos.test:1234")
    assert own(hosts, "other.test:8443")
    assert not own(hosts, "other.test")
    hosts.add_url("https://tunnel.test/")
    assert own(hosts, "tunnel.test")


def test_only_its_own_page_may_speak() -> None:
    assert speaks(LOCAL, "http://127.0.0.1:7860", "127.0.0.1:7860")
    assert speaks(LOCAL, "http://localhost:7860", "127.0.0.1:7860")
    for origin in ("http://localhost:3000", "http://evil.test", "null", "file://", "", "x"):
        assert not speaks(LOCAL, origin, "127.0.0.1:7860")
    assert speaks(REACHED, "https://10.0.0.1", "10.0.0.1")
    assert speaks(REACHED, "http://10.0.0.1:80", "10.0.0.1")
    assert not speaks(REACHED, "http://10.0.0.2:7860", "10.0.0.1:7860")
    assert not speaks(REACHED, "http://10.0.0.1:3000", "10.0.0.1:7860")


def test_pages_that_are_named_may_speak_too() -> None:
    hosts = Hosts(False, [Address("photos.test")], ("https://album.test",))
    assert speaks(hosts, "https://album.test", "photos.test")
    assert speaks(hosts, "https://photos.test", "10.0.0.1:7860"), "a proxy calls it otherwise"
    assert not speaks(hosts, "http://album.test", "photos.test")
    assert not speaks(hosts, "https://album.test.evil.test", "photos.test")


@given(st.text(max_size=40))
def test_whatever_is_sent_is_an_address_or_none(text: str) -> None:
    assert Address.of(text) is None or text
    Address.of_origin(text)
