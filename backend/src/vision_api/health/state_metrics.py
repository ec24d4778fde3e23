"""Metrics of the platform's present state, read when `/metrics` is requested."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from urllib.parse import unquote, urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.pool import QueuePool

from vision_api.db.session import Database
from vision_api.disk_space.disks import Disks
from vision_api.errors import DatabaseUnavailable
from vision_api.health import repository
from vision_api.kit.clock import utc_now
from vision_api.training_services import InstanceRegistry

STORAGE_EVERY = timedelta(minutes=1)
"""Adding up every file's size takes longer than everything else."""


class StateMetrics:
    """Reads the present state of jobs, services, storage and database as metrics."""

    def __init__(self, database: Database, registry: InstanceRegistry, disks: Disks, storage_url: str) -> None:
        self._database = database
        self._registry = registry
        self._disks = disks
        self._storage_url = storage_url
        self._stored: tuple[float, Mapping[str, int]] | None = None

    async def read(self) -> CollectorRegistry:
        """Return the metrics; those of jobs are left out while the database does not answer."""
        families = [*self._services(), *self._storage_free(), *self._disk_room()]
        try:
            families += await self._jobs()
            is_up = 1
        except DatabaseUnavailable:
            is_up = 0
        families.append(GaugeMetricFamily("database_up", "Whether the database answers.", value=is_up))
        families.append(self._connections())
        return _as_registry(families)

    async def _jobs(self) -> list[Metric]:
        async with self._database.snapshot() as session:
            counts = await repository.count_jobs(session)
            oldest = await repository.list_oldest_queued(session)
            if self._stored is None or time.monotonic() - self._stored[0] > STORAGE_EVERY.total_seconds():
                self._stored = time.monotonic(), await repository.sum_stored_bytes(session)
        jobs = GaugeMetricFamily(
            "training_jobs", "Jobs by status and its reason.", labels=("framework", "status", "reason")
        )
        for row in counts:
            jobs.add_metric((row.framework, row.status, row.reason), row.count)
        waits = GaugeMetricFamily(
            "training_queue_oldest_seconds", "How long the first of the queue has waited.", labels=("framework",)
        )
        for framework in self._registry.frameworks | oldest.keys():
            since = oldest.get(framework)
            waits.add_metric((framework,), (utc_now() - since).total_seconds() if since else 0)
        stored = GaugeMetricFamily("storage_bytes", "Files that rows name.", labels=("kind",))
        for kind, size in self._stored[1].items():
            stored.add_metric((kind,), size)
        return [jobs, waits, stored]

    def _services(self) -> Iterator[Metric]:
        instances = GaugeMetricFamily("training_service_instances", "Instances that answer.", labels=("framework",))
        slots = GaugeMetricFamily("training_service_slots", "Their slots.", labels=("framework",))
        free = GaugeMetricFamily("training_service_free_slots", "Free slots.", labels=("framework",))
        for framework in sorted(self._registry.frameworks):
            found = self._registry.available(framework)
            instances.add_metric((framework,), len(found))
            slots.add_metric((framework,), sum(one.ready.slots for one in found))
            free.add_metric((framework,), sum(one.ready.free_slots for one in found))
        yield from (instances, slots, free)

    def _storage_free(self) -> Iterator[Metric]:
        """Yield the free space of a local storage; a bucket has no limit."""
        parts = urlsplit(self._storage_url)
        if parts.scheme == "file":
            free = shutil.disk_usage(unquote(parts.path)).free
            yield GaugeMetricFamily("storage_free_bytes", "Room on the disk that storage lies on.", value=free)

    def _disk_room(self) -> Iterator[Metric]:
        free = GaugeMetricFamily("disk_free_bytes", "Room on each disk of this backend.", labels=("disk",))
        reserve = GaugeMetricFamily("disk_reserve_bytes", "Room below which nothing new is taken.", labels=("disk",))
        for name, room in self._disks.read().items():
            free.add_metric((name,), room.free_bytes)
            reserve.add_metric((name,), room.reserve_bytes)
        yield from (free, reserve)

    def _connections(self) -> Metric:
        pool = self._database.engine.sync_engine.pool
        family = GaugeMetricFamily("database_connections", "Connections of this backend.", labels=("state",))
        if isinstance(pool, QueuePool):
            family.add_metric(("in_use",), pool.checkedout())
            family.add_metric(("idle",), pool.checkedin())
        return family


class _StaticCollector(Collector):
    """Metrics that have been read already."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def _as_registry(families: Sequence[Metric]) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StaticCollector(families))
    return registry
