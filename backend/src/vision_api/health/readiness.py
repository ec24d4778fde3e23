"""Checks of readiness, with messages for operators."""

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Literal

import anyio.to_thread

from data_kit import ObjectStore, StorageError
from vision_api.db.session import Database
from vision_api.disk_space.disks import Disks
from vision_api.kit.schemas import ReadModel
from vision_api.migrate import current_revision, known_revisions, newest_revision
from vision_api.training_services import InstanceRegistry

logger = logging.getLogger(__name__)

PROBE = "readiness-probe"
"""An object that is never written: the probe only checks that the storage answers."""
PROBE_EVERY_SECONDS = 10.0
PROBE_WITHIN_SECONDS = 2.0


class Degradation(ReadModel):
    """A part of the platform that is not ready, and what follows from it."""

    part: Literal["schema", "storage", "disk", "service"]
    name: str
    message: str


class StorageProbe:
    """Checks that the storage answers, at most every ten seconds and once at a time."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._checked_at = 0.0
        self._checking: asyncio.Task[bool] | None = None

    async def is_available(self) -> bool:
        """Return whether the storage answered the last check."""
        now = time.monotonic()
        if self._checking is None or (self._checking.done() and now - self._checked_at >= PROBE_EVERY_SECONDS):
            self._checked_at, self._checking = now, asyncio.create_task(self._check())
        await asyncio.wait({self._checking}, timeout=PROBE_WITHIN_SECONDS)
        return self._checking.done() and self._checking.result()

    async def close(self) -> None:
        """Cancel a check that is under way."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait({self._checking})

    async def _check(self) -> bool:
        try:
            await anyio.to_thread.run_sync(self._store.exists, self._store.uri(PROBE), abandon_on_cancel=True)
        except StorageError as error:
            logger.warning("storage is not ready: %s", error)
            return False
        return True


async def find_degradations(
    database: Database, registry: InstanceRegistry, probe: StorageProbe, disks: Disks
) -> list[Degradation]:
    """Return all parts that are not ready. Raises DatabaseUnavailable: without a database nothing works."""
    async with database.snapshot() as session:
        revision = await (await session.connection()).run_sync(current_revision)
    degradations: list[Degradation] = []
    if revision != (newest := newest_revision()):
        is_older = revision is None or revision in known_revisions()
        remedy = "Run: python -m vision_api.migrate" if is_older else "This backend keeps working; upgrade it too."
        message = f"The schema is at revision {revision or 'none'}, this backend brings {newest}. {remedy}"
        degradations.append(Degradation(part="schema", name="database", message=message))
    if not await probe.is_available():
        text = "The object storage does not answer as it should: uploads, downloads and checkpoints wait. See the log."
        degradations.append(Degradation(part="storage", name="storage", message=text))
    degradations += _disk_degradations(disks)
    for framework in sorted(registry.unavailable_frameworks()):
        text = f"No instance of the {framework} service answers. Its experiments wait in the queue."
        degradations.append(Degradation(part="service", name=framework, message=text))
    return degradations


def _disk_degradations(disks: Disks) -> Iterator[Degradation]:
    for name, room in disks.read().items():
        free, reserve = f"{room.free_bytes / 1024**2:,.0f} MiB", f"{room.reserve_bytes / 1024**2:,.0f} MiB"
        text = {
            "low": f"{free} are free on this disk. Below {reserve} nothing new is taken: free some space before that.",
            "full": f"{free} are free on this disk, less than the reserve of {reserve}: uploads, imports, starts, "
            "exports and predictions are refused (507). Free some space.",
        }
        if room.status != "ok":
            yield Degradation(part="disk", name=name, message=text[room.status])
