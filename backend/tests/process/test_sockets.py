"""Errors of the sockets at which the backend listens."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from vision_api.process.errors import StartError
from vision_api.process.sockets import listen


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("host", ["127.0.0.1", "::", "localhost"])
def test_a_port_in_use_is_reported_by_its_number(closing: ExitStack, host: str) -> None:
    port = closing.enter_context(listen(host, 0)[0]).getsockname()[1]

    with pytest.raises(StartError, match=rf"Port {port} is in use.*PORT={port + 1}"):
        listen(host, port)


def test_an_address_of_another_machine_is_reported(closing: ExitStack) -> None:
    with pytest.raises(StartError, match=r"HOST=192\.0\.2\.1"):
        listen("192.0.2.1", 0)
