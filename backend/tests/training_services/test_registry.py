"""The registry of instances, over real HTTP."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
import trustme
from support.small_service import TOKEN, SmallService, make_card, make_list, serving
from support.waiting import until

from vision_api.training_services import InstanceRegistry, ServiceAddress, ServiceUnavailable
from vision_api.training_services import registry as registry_module
from vision_api.training_services.client import ConnectionPools
from vision_api.training_services.remote import RemoteServices
from vision_contracts import HeldJob, StopRequest


@dataclass
class Places:
    """A source whose addresses a test sets."""

    services: Sequence[str] = ("small",)
    addresses: list[ServiceAddress] = field(default_factory=list)
    is_ours: bool = False
    waits_no_longer: bool = False

    async def run(self) -> None: ...

    async def close(self) -> None: ...

    def stop_waiting(self) -> None:
        self.waits_no_longer = True


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def places() -> Places:
    return Places()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def registry(places: Places, clock: Clock) -> AsyncIterator[InstanceRegistry]:
    registry = InstanceRegistry(places, ConnectionPools(), clock=clock)
    yield registry
    await registry.close()


def at(port: int, host: str = "127.0.0.1", service: str = "small") -> ServiceAddress:
    return ServiceAddress(service, f"http://{host}:{port}", TOKEN)


async def test_an_instance_that_answers_is_available(registry: InstanceRegistry, places: Places) -> None:
    service = SmallService()
    async with serving(service) as port:
        places.addresses = [at(port)]
        await registry.refresh()

        [instance] = registry.available("small")
        assert registry.get(service.instance_id) == instance
        assert instance.ready == service.ready
        assert registry.unavailable_frameworks() == frozenset()
        assert await registry.client(instance).ready() == service.ready


async def test_a_service_never_seen_is_unavailable_by_its_name(registry: InstanceRegistry) -> None:
    await registry.refresh()

    assert registry.frameworks == registry.unavailable_frameworks() == {"small"}


async def test_a_service_reports_the_name_of_its_framework(registry: InstanceRegistry, places: Places) -> None:
    service = SmallService(models=make_list(make_card("tiny"), framework="toyvision"))
    async with serving(service) as port:
        places.addresses = [at(port)]
        await registry.refresh()
    await registry.refresh()

    assert registry.frameworks == registry.unavailable_frameworks() == {"toyvision"}


async def test_a_refusing_port_is_gone_at_once(registry: InstanceRegistry, places: Places) -> None:
    async with serving(SmallService()) as port:
        places.addresses = [at(port)]
        await registry.refresh()
        [instance] = registry.instances
    await registry.refresh()

    assert registry.get(instance.instance_id) is None
    with pytest.raises(ServiceUnavailable):
        await registry.client(instance).held_jobs()


async def test_a_slow_instance_stays_for_twelve_seconds(
    registry: InstanceRegistry, places: Places, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = SmallService()
    async with serving(service) as port:
        places.addresses = [at(port)]
        await registry.refresh()
        monkeypatch.setattr("vision_api.training_services.client.READY_SECONDS", 0.2)
        service.delay_seconds = 1.0

        clock.now = 11.9
        await registry.refresh()
        assert registry.get(service.instance_id) is not None

        clock.now = 12.1
        await registry.refresh()
        assert registry.get(service.instance_id) is None


async def test_a_wrong_token_keeps_an_instance_out(registry: InstanceRegistry, places: Places) -> None:
    async with serving(SmallService(token="another")) as port:
        places.addresses = [at(port)]
        await registry.refresh()

    assert registry.instances == []


async def test_replicas_are_instances_of_one_framework(registry: InstanceRegistry, places: Places) -> None:
    async with serving(SmallService()) as first, serving(SmallService()) as second:
        places.addresses = [at(first), at(second)]
        await registry.refresh()

    assert len(registry.available("small")) == 2


async def test_two_addresses_of_one_instance_are_one(registry: InstanceRegistry, places: Places) -> None:
    service = SmallService()
    async with serving(service) as port, serving(service, host="::1") as other_port:
        places.addresses = [at(port), at(other_port, "[::1]")]
        await registry.refresh()
        [first] = registry.instances
        places.addresses.reverse()
        await registry.refresh()

        assert registry.instances == [first]


async def test_a_place_that_is_no_longer_named_stays_while_it_answers(
    registry: InstanceRegistry, places: Places
) -> None:
    async with serving(SmallService()) as port:
        places.addresses = [at(port)]
        await registry.refresh()
        places.addresses = []
        await registry.refresh()
        assert len(registry.instances) == 1
    await registry.refresh()

    assert registry.instances == []


async def test_every_change_is_reported_and_nothing_else(registry: InstanceRegistry, places: Places) -> None:
    service, changes = SmallService(), []
    registry.on_change(lambda: changes.append(None))
    async with serving(service) as port:
        places.addresses = [at(port)]
        await registry.refresh()
        await registry.refresh()
        assert len(changes) == 1

        service.free_slots = 0
        await registry.refresh()
        assert len(changes) == 2

        service.boot_id = uuid4()
        await registry.refresh()
        assert len(changes) == 3
    await registry.refresh()
    assert len(changes) == 4


async def test_a_slot_that_becomes_free_is_seen_as_soon_as_it_is_expected(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "POLL_SECONDS", 3600.0)
    service, registry = SmallService(free_slots=0), InstanceRegistry(places, ConnectionPools())
    async with serving(service) as port:
        places.addresses = [at(port)]
        running = asyncio.create_task(registry.run())
        await until(lambda: registry.available("small"))

        registry.expect_change()
        await asyncio.sleep(2 * registry_module.FAST_POLL_SECONDS)  # the job's last moments
        service.free_slots = 1

        await until(lambda: registry.available("small")[0].ready.free_slots == 1)
        running.cancel()
        await asyncio.wait({running})
    await registry.close()


async def test_an_https_name_keeps_its_certificate_and_its_virtual_host() -> None:
    authority, service = trustme.CA(), SmallService()
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    async with serving(service, certificate=authority.issue_cert("localhost")) as port:
        source = RemoteServices({"small": [f"https://localhost:{port}"]}, TOKEN)
        registry = InstanceRegistry(source, ConnectionPools(tls=tls))
        await source.resolve()
        await registry.refresh()
        [instance] = registry.instances
        await registry.close()

    assert instance.url == f"https://127.0.0.1:{port}"
    assert service.requests[-1][2]["host"] == f"localhost:{port}"


async def test_haste_pauses_what_runs_on_our_own_services(registry: InstanceRegistry, places: Places) -> None:
    running = HeldJob(job_uid=uuid4(), attempt=2, state="running")
    service = SmallService(held=[running, HeldJob(job_uid=uuid4(), attempt=1, state="ended")])
    places.is_ours = True
    async with serving(service) as port:
        places.addresses = [at(port)]
        await registry.refresh()
        await registry.stop_waiting()

    assert service.stops == [StopRequest(attempt=2, mode="pause", grace_seconds=0)]
    assert places.waits_no_longer


async def test_haste_leaves_the_services_of_others_alone(registry: InstanceRegistry, places: Places) -> None:
    service = SmallService(held=[HeldJob(job_uid=uuid4(), attempt=2, state="running")])
    async with serving(service) as port:
        places.addresses = [at(port)]
        await registry.refresh()
        await registry.stop_waiting()

    assert service.stops == []
