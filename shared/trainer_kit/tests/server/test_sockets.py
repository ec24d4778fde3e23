import socket

import pytest

from trainer_kit.server.sockets import listen


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["", "::"])
def test_without_a_host_it_listens_on_both_families(host: str) -> None:
    with listen(host, 0) as listening:
        port = listening.getsockname()[1]
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, port)).close()


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_host_is_listened_on_alone(host: str, family: socket.AddressFamily) -> None:
    with listen(host, 0) as listening:
        assert (listening.family, listening.getsockname()[0]) == (family, host)


def test_a_port_in_use_is_an_error() -> None:
    with listen("127.0.0.1", 0) as listening, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", listening.getsockname()[1])
