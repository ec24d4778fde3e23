"""Sockets of a server."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from http_kit.sockets import listen


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(closing: ExitStack, host: str, port: int = 0) -> list[socket.socket]:
    return [closing.enter_context(each) for each in listen(host, port, backlog=8)]


def connect(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=5).close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::", ""])
def test_everywhere_is_both_ipv4_and_ipv6(closing: ExitStack, host: str) -> None:
    [listening] = opened(closing, host)
    port = listening.getsockname()[1]

    connect("127.0.0.1", port)
    connect("::1", port)


def test_a_machine_without_ipv6_listens_on_ipv4(closing: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)

    [listening] = opened(closing, "::")

    connect("127.0.0.1", listening.getsockname()[1])


def test_a_name_is_every_address_that_it_has_at_one_port(closing: ExitStack) -> None:
    listening = opened(closing, "localhost")

    assert len({each.getsockname()[1] for each in listening}) == 1
    for each in listening:
        connect(*each.getsockname()[:2])


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_an_address_is_listened_on_alone(closing: ExitStack, host: str, family: socket.AddressFamily) -> None:
    [listening] = opened(closing, host)

    assert (listening.family, listening.getsockname()[0]) == (family, host)


def test_connections_send_without_delay(closing: ExitStack) -> None:
    [listening] = opened(closing, "127.0.0.1")

    connecting = closing.enter_context(socket.create_connection(listening.getsockname(), timeout=5))
    accepted = closing.enter_context(listening.accept()[0])

    assert connecting.getpeername() == accepted.getsockname()
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("host", ["127.0.0.1", "::", "localhost"])
def test_a_port_in_use_is_an_error(closing: ExitStack, host: str) -> None:
    port = opened(closing, host)[0].getsockname()[1]

    with pytest.raises(OSError, match="in use"):
        listen(host, port, backlog=8)
