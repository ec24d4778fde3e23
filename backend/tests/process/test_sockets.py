"""Sockets at which the backend listens."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from vision_api.process.errors import StartError
from vision_api.process.sockets import listen


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=5).close()


@pytest.mark.parametrize("host", ["::", ""])
def test_everywhere_is_both_ipv4_and_ipv6(closing: ExitStack, host: str) -> None:
    [listener] = [closing.enter_context(each) for each in listen(host, 0)]
    port = listener.getsockname()[1]

    connect("127.0.0.1", port)
    connect("::1", port)


def test_a_name_is_every_address_that_it_has(closing: ExitStack) -> None:
    listeners = [closing.enter_context(each) for each in listen("localhost", 0)]

    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    for listener in listeners:
        connect(*listener.getsockname()[:2])


def test_loopback_is_loopback_alone(closing: ExitStack) -> None:
    [listener] = [closing.enter_context(each) for each in listen("127.0.0.1", 0)]

    assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "::", "localhost"])
def test_a_port_in_use_is_reported_by_its_number(closing: ExitStack, host: str) -> None:
    port = closing.enter_context(listen(host, 0)[0]).getsockname()[1]

    with pytest.raises(StartError, match=rf"Port {port} is in use.*PORT={port + 1}"):
        listen(host, port)


def test_an_address_of_another_machine_is_reported(closing: ExitStack) -> None:
    with pytest.raises(StartError, match=r"HOST=192\.0\.2\.1"):
        listen("192.0.2.1", 0)
