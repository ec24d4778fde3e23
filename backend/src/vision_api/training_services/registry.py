"""Registry of the instances that answer now, by framework."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from vision_api.training_services.address import ServiceAddress
from vision_api.training_services.client import ConnectionPools, ServiceClient
from vision_api.training_services.errors import ServiceError, ServiceRejected, ServiceSilent
from vision_contracts import SILENCE_SECONDS, ServiceReady, StopRequest

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
FAST_POLL_SECONDS = 0.1
FAST_POLLING_SECONDS = 1.0
STOP_REQUEST_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Instance:
    """One running copy of a training service, as it last described itself."""

    instance_id: UUID
    framework: str
    address: ServiceAddress
    ready: ServiceReady

    @property
    def url(self) -> str:
        """Return the address as a URL."""
        return self.address.url


class AddressSource(Protocol):
    """Source of addresses: services by URL (`RemoteServices`), or started by the backend (`LocalServices`)."""

    @property
    def services(self) -> Sequence[str]:
        """Return the names of the configured services, whether they run or not."""
        ...

    @property
    def addresses(self) -> Sequence[ServiceAddress]:
        """Return the addresses of instances, in a stable order."""
        ...

    @property
    def is_ours(self) -> bool:
        """Return whether the services end with the backend."""
        ...

    async def run(self) -> None:
        """Keep `addresses` up to date, until cancelled."""
        ...

    async def close(self) -> None:
        """End the services that this source has started."""
        ...

    def stop_waiting(self) -> None:
        """Let `close` wait no longer."""
        ...


@dataclass(frozen=True, slots=True)
class _Answer:
    ready: ServiceReady
    received: float


class InstanceRegistry:
    """Polls every address, once a second and when a slot may be free, and keeps the instances that answer.

    An instance is gone when its address refuses, or has been silent for 12 s: a machine that trains can be slow to
    answer. An address that its source no longer names stays for as long as it answers, since a replica that is being
    taken away still trains.
    """

    def __init__(
        self, source: AddressSource, connections: ConnectionPools, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._connections = connections
        self._clock = clock
        self._answers: dict[ServiceAddress, _Answer] = {}
        self._instances: dict[UUID, Instance] = {}
        self._framework_of: dict[str, str] = {}
        self._failures: dict[ServiceAddress, str] = {}
        self._listeners: list[Callable[[], None]] = []
        self._wakeup = asyncio.Event()
        self._fast_until = 0.0

    @property
    def services(self) -> frozenset[str]:
        """Return the names under which services are configured."""
        return frozenset(self._source.services)

    @property
    def frameworks(self) -> frozenset[str]:
        """Return every configured framework. One that has never answered goes by the name of its service."""
        return frozenset(self._framework_of.get(service, service) for service in self._source.services)

    @property
    def instances(self) -> list[Instance]:
        """Return every instance that answers."""
        return list(self._instances.values())

    def available(self, framework: str) -> list[Instance]:
        """Return the instances of a framework that answer."""
        return [instance for instance in self._instances.values() if instance.framework == framework]

    def get(self, instance_id: UUID) -> Instance | None:
        """Return the instance, or None while it does not answer."""
        return self._instances.get(instance_id)

    def unavailable_frameworks(self) -> frozenset[str]:
        """Return the configured frameworks without an instance that answers."""
        return self.frameworks - {instance.framework for instance in self._instances.values()}

    def client(self, instance: Instance) -> ServiceClient:
        """Return a client of this instance. It is cheap: make one whenever needed."""
        return self._client_at(instance.address)

    def remember(self, service: str, framework: str) -> None:
        """Set the framework of a service from an earlier run, until the service reports it itself."""
        self._framework_of.setdefault(service, framework)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Add a callback for every change of an instance: new, gone, restarted, another number of free slots."""
        self._listeners.append(callback)

    def expect_change(self) -> None:
        """Poll at once, and often for a second: a slot is about to become free."""
        self._fast_until = self._clock() + FAST_POLLING_SECONDS
        self._wakeup.set()

    async def run(self) -> None:
        """Keep the registry up to date, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._source.run(), name="training-service-addresses")
            tasks.create_task(self._poll(), name="training-service-poll")

    async def close(self) -> None:
        """End the services that are ours, and every connection."""
        await self._source.close()
        await self._connections.close()

    async def stop_waiting(self) -> None:
        """End local services at once: trainers get no time for a checkpoint, and `close` waits no longer.

        The jobs are paused all the same, and continue from their last checkpoint at the next start.
        """
        if self._source.is_ours:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_REQUEST_SECONDS):
                    await asyncio.gather(*(self._end_runners(instance) for instance in self.instances))
            self._source.stop_waiting()

    async def refresh(self) -> None:
        """Poll every address once."""
        addresses = list(dict.fromkeys([*self._source.addresses, *self._answers]))
        answers = await asyncio.gather(*(self._ask(address) for address in addresses))
        self._answers = {
            address: answer for address, answer in zip(addresses, answers, strict=True) if answer is not None
        }
        self._failures = {address: self._failures[address] for address in addresses if address in self._failures}
        self._update()

    async def _poll(self) -> None:
        while True:
            await self.refresh()
            is_fast = self._clock() < self._fast_until
            with suppress(TimeoutError):
                async with asyncio.timeout(FAST_POLL_SECONDS if is_fast else POLL_SECONDS):
                    await self._wakeup.wait()
            self._wakeup.clear()

    def _client_at(self, address: ServiceAddress) -> ServiceClient:
        return ServiceClient(address.url, address.token, connections=self._connections, host=address.host)

    async def _end_runners(self, instance: Instance) -> None:
        client = self.client(instance)
        with suppress(ServiceError):
            for held in await client.held_jobs():
                if held.state == "running":
                    await client.stop(held.job_uid, StopRequest(attempt=held.attempt, mode="pause", grace_seconds=0))

    async def _ask(self, address: ServiceAddress) -> _Answer | None:
        try:
            ready = await self._client_at(address).ready()
        except ServiceError as error:
            self._log_failure(address, error)
            last = self._answers.get(address)
            if last is not None and isinstance(error, ServiceSilent):
                return last if self._clock() - last.received < SILENCE_SECONDS else None
            return None
        self._failures.pop(address, None)
        return _Answer(ready, self._clock())

    def _log_failure(self, address: ServiceAddress, error: ServiceError) -> None:
        """Log a failure of an address once, not every second."""
        if self._failures.get(address) != str(error):
            self._failures[address] = str(error)
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
        """Choose one address for each instance: a host with IPv4 and IPv6 has two. The one in use stays in use."""
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
