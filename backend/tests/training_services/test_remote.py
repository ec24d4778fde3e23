"""Services by URL."""

import pytest

from vision_api.config import ConfigurationError
from vision_api.training_services.address import ServiceAddress
from vision_api.training_services.remote import RemoteServices


async def test_replicas_and_frameworks_each_have_their_address() -> None:
    source = RemoteServices(
        {"timm": ["http://127.0.0.1:8001", "http://[::1]:8002/timm"], "toy": ["http://10.0.0.7"]}, "t"
    )

    assert source.services == ("timm", "toy")
    assert source.addresses == [
        ServiceAddress("timm", "http://127.0.0.1:8001", "t"),
        ServiceAddress("timm", "http://[::1]:8002/timm", "t"),
        ServiceAddress("toy", "http://10.0.0.7", "t"),
    ]


async def test_a_name_stands_for_every_address_that_it_resolves_to() -> None:
    source = RemoteServices({"timm": ["http://localhost:8001"]}, "t")
    assert source.addresses == []

    await source.resolve()

    assert ServiceAddress("timm", "http://127.0.0.1:8001", "t", host="localhost:8001") in source.addresses


async def test_a_name_that_no_longer_resolves_keeps_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    source = RemoteServices({"timm": ["http://localhost:8001"]}, "t")
    await source.resolve()
    before = source.addresses

    async def fail(_url: object) -> frozenset[str]:
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr("vision_api.training_services.remote.ServiceUrl.resolve", fail)
    await source.resolve()

    assert source.addresses == before != []


@pytest.mark.parametrize("url", ["timm:8001", "ftp://timm", "http://", "http://timm:port", "timm"])
def test_what_is_no_url_is_refused_by_the_name_of_its_variable(url: str) -> None:
    with pytest.raises(ConfigurationError, match="TIMM_SERVICE_URL"):
        RemoteServices({"timm": [url]}, "t")
