"""Which instances of which framework answer now."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from vision_api.training_services.address import Address
from vision_api.training_services.client import Connections, ServiceClient
from vision_api.training_services.errors import ServiceError, ServiceRejected, ServiceSilent
from vision_contracts import SILENCE_SECONDS, ServiceReady, StopRequest

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
HURRIED_POLL_SECONDS = 0.1
HURRY_SECONDS = 1.0
HASTE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Instance:
    """One running copy of a training service, as it last described itself."""

    instance_id: UUID
    framework: str
    address: Address
    ready: ServiceReady

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.address.url


class AddressSource(Protocol):
    """Where services may be: by URL (`HostSource`) or started by us (`LocalServices`)."""

    @property
    def services(self) -> Sequence[str]:
        """Names of the configured services, whether they run or not."""
        ...

    @property
    def addresses(self) -> Sequence[Address]:
        """Where instances may answer now, in a stable order."""
        ...

    @property
    def is_ours(self) -> bool:
        """Whether what runs there ends with us."""
        ...

    async def run(self) -> None:
        """Keep `addresses` right, until cancelled."""
        ...

    async def close(self) -> None:
        """End what this source has started."""
        ...

    def stop_waiting(self) -> None:
        """Wait for nobody any more in `close`."""
        ...


@dataclass(frozen=True, slots=True)
class _Answer:
    ready: ServiceReady
    received: float


class InstanceRegistry:
    """Asks every address who it is, once a second and when a slot may be free, and remembers who answered.

    An instance is gone when its address refuses, or has been silent for 12 s: a machine that trains can be slow to
    answer. An address that its source no longer names stays for as long as it answers, since a replica that is being
    taken away still trains.
    """

    def __init__(
        self, source: AddressSource, connections: Connections, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._connections = connections
        self._clock = clock
        self._answers: dict[Address, _Answer] = {}
        self._instances: dict[UUID, Instance] = {}
        self._framework_of: dict[str, str] = {}
        self._troubles: dict[Address, str] = {}
        self._listeners: list[Callable[[], None]] = []
        self._hurry = asyncio.Event()
        self._hurried_until = 0.0

    @property
    def services(self) -> frozenset[str]:
        """Names under which services are configured."""
        return frozenset(self._source.services)

    @property
    def frameworks(self) -> frozenset[str]:
        """Every configured framework. One that has never answered goes by the name of its service."""
        return frozenset(self._framework_of.get(service, service) for service in self._source.services)

    @property
    def instances(self) -> list[Instance]:
        """Every instance that answers."""
        return list(self._instances.values())

    def available(self, framework: str) -> list[Instance]:
        """The instances of a framework that answer."""
        return [instance for instance in self._instances.values() if instance.framework == framework]

    def get(self, instance_id: UUID) -> Instance | None:
        """The instance, or None while it does not answer."""
        return self._instances.get(instance_id)

    def unavailable_frameworks(self) -> frozenset[str]:
        """The configured frameworks of which no instance answers."""
        return self.frameworks - {instance.framework for instance in self._instances.values()}

    def client(self, instance: Instance) -> ServiceClient:
        """Calls to this instance. Cheap: make one whenever you need it."""
        return self._client_at(instance.address)

    def remember(self, service: str, framework: str) -> None:
        """Say from an earlier run what a service's framework is called, until the service says so itself."""
        self._framework_of.setdefault(service, framework)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every change of an instance: come, gone, restarted, another number of free slots."""
        self._listeners.append(callback)

    def expect_change(self) -> None:
        """A slot is about to become free: ask at once, and often for a moment."""
        self._hurried_until = self._clock() + HURRY_SECONDS
        self._hurry.set()

    async def run(self) -> None:
        """Keep the registry right, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._source.run(), name="training-service-addresses")
            tasks.create_task(self._poll(), name="training-service-poll")

    async def close(self) -> None:
        """End the services that are ours, and every connection."""
        await self._source.close()
        await self._connections.close()

    async def stop_waiting(self) -> None:
        """End what is ours without patience: trainers get no time for a checkpoint, `close` waits no longer.

        The jobs are paused all the same, and go on from their last checkpoint at the next start.
        """
        if self._source.is_ours:
            with suppress(TimeoutError):
                async with asyncio.timeout(HASTE_SECONDS):
                    await asyncio.gather(*(self._end_runners(instance) for instance in self.instances))
            self._source.stop_waiting()

    async def refresh(self) -> None:
        """Ask every address once."""
        addresses = list(dict.fromkeys([*self._source.addresses, *self._answers]))
        answers = await asyncio.gather(*(self._ask(address) for address in addresses))
        self._answers = {
            address: answer for address, answer in zip(addresses, answers, strict=True) if answer is not None
        }
        self._troubles = {address: self._troubles[address] for address in addresses if address in self._troubles}
        self._update()

    async def _poll(self) -> None:
        while True:
            await self.refresh()
            is_hurried = self._clock() < self._hurried_until
            with suppress(TimeoutError):
                async with asyncio.timeout(HURRIED_POLL_SECONDS if is_hurried else POLL_SECONDS):
                    await self._hurry.wait()
            self._hurry.clear()

    def _client_at(self, address: Address) -> ServiceClient:
        return ServiceClient(address.url, address.token, connections=self._connections, host=address.host)

    async def _end_runners(self, instance: Instance) -> None:
        client = self.client(instance)
        with suppress(ServiceError):
            for held in await client.held_jobs():
                if held.state == "running":
                    await client.stop(held.job_uid, StopRequest(attempt=held.attempt, mode="pause", grace_seconds=0))

    async def _ask(self, address: Address) -> _Answer | None:
        try:
            ready = await self._client_at(address).ready()
        except ServiceError as error:
            self._note_trouble(address, error)
            last = self._answers.get(address)
            if last is not None and isinstance(error, ServiceSilent):
                return last if self._clock() - last.received < SILENCE_SECONDS else None
            return None
        self._troubles.pop(address, None)
        return _Answer(ready, self._clock())

    def _note_trouble(self, address: Address, error: ServiceError) -> None:
        """Log what is wrong with an address once, not every second."""
        if self._troubles.get(address) != str(error):
            self._troubles[address] = str(error)
            level = logging.WARNING if isinstance(error, ServiceRejected) else logging.INFO
            logger.log(level, "%s service is not available: %s", address.service, error)

    def _update(self) -> None:
        before = self._instances
        self._instances = self._choose_instances()
        for instance in self._instances.values():
            self._framework_of[instance.address.service] = instance.framework
        if self._instances != before:
            _log_changes(before.values(), self._instances.values())
            for listener in self._listeners:
                listener()

    def _choose_instances(self) -> dict[UUID, Instance]:
        """One address for each instance: a host with IPv4 and IPv6 has two. The one in use stays in use."""
        chosen: dict[UUID, Instance] = {}
        for address, answer in self._answers.items():
            instance_id = answer.ready.instance_id
            used = self._instances.get(instance_id)
            if instance_id not in chosen or (used is not None and used.address == address):
                chosen[instance_id] = Instance(instance_id, answer.ready.framework, address, answer.ready)
        return chosen


def _log_changes(before: Iterable[Instance], after: Iterable[Instance]) -> None:
    old = {(instance.instance_id, instance.ready.boot_id): instance for instance in before}
    new = {(instance.instance_id, instance.ready.boot_id): instance for instance in after}
    for key in old.keys() - new.keys():
        logger.warning("%s service at %s no longer answers", old[key].framework, old[key].url)
    for key in new.keys() - old.keys():
        instance = new[key]
        logger.info(
            "%s service at %s is ready: version %s, %d slot(s)",
            instance.framework, instance.url, instance.ready.framework_version, instance.ready.slots,
        )  # fmt: skip
