"""Lifespan of the loops: start with the backend, and an orderly end."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Protocol
from uuid import UUID, uuid4

from data_kit import ObjectStore
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.disk_space.disks import Disks
from vision_api.errors import DatabaseUnavailable
from vision_api.training_jobs.loops.collect import CollectLoop
from vision_api.training_jobs.loops.dispatch import DispatchLoop
from vision_api.training_jobs.loops.event_collector import (
    LOCAL_LOSS_TIMEOUTS,
    LOSS_TIMEOUTS,
    CollectedAttempt,
    EventCollector,
    LossTimeouts,
)
from vision_api.training_jobs.loops.reconcile import ReconcileLoop
from vision_api.training_jobs.loops.repository.jobs import release_leases
from vision_api.training_jobs.loops.retention import Retention
from vision_api.training_jobs.loops.shutdown import pause_active
from vision_api.training_jobs.loops.sweep import SweepLoop
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_services import InstanceRegistry

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class Loop(Protocol):
    """Work that is repeated in rounds."""

    async def tick(self) -> None:
        """Run one round. An exception is logged, and the next round comes."""
        ...

    async def wait(self) -> None:
        """Wait until the next round is due."""
        ...


class _LoopTask:
    """A loop that runs as a task and can be ended between two rounds."""

    def __init__(self, name: str, loop: Loop) -> None:
        self._name = name
        self._loop = loop
        self._is_closing = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=name)

    async def _run(self) -> None:
        while not self._is_closing.is_set():
            try:
                await self._loop.tick()
            except DatabaseUnavailable as error:
                logger.warning("%s waits for the database: %s", self._name, error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("%s failed in this round", self._name)
                await asyncio.sleep(RETRY_SECONDS)
            await self._wait()

    async def _wait(self) -> None:
        waiting = {asyncio.ensure_future(self._loop.wait()), asyncio.ensure_future(self._is_closing.wait())}
        _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()

    async def close(self) -> None:
        """Finish the current round and end the task."""
        self._is_closing.set()
        await asyncio.wait({self._task})


@asynccontextmanager
async def running_loops(
    *,
    database: Database,
    registry: InstanceRegistry,
    notifier: Notifier,
    store: ObjectStore,
    settings: Settings,
    disks: Disks | None = None,
    loss_timeouts: LossTimeouts | None = None,
) -> AsyncGenerator[None]:
    """Run dispatch, collect, reconcile and sweep. If the services are the backend's own children, trainings are
    paused at the end and continue at the next start; otherwise they continue without the backend.
    """
    owner = uuid4()
    if database.is_sqlite:  # no other backend can be running: leases are left over from one that was killed
        await _release_leases(database, owner=None)
    grace, retention = settings.stop_grace_seconds, Retention.from_settings(settings)
    is_local = settings.training_execution_mode == "subprocess"
    loss_timeouts = loss_timeouts or (LOCAL_LOSS_TIMEOUTS if is_local else LOSS_TIMEOUTS)
    first_contact_until = time.monotonic() + loss_timeouts.first_contact_seconds

    def make_collector(attempt: CollectedAttempt) -> EventCollector:
        return EventCollector(
            database, registry, notifier, owner=owner, attempt=attempt, loss_timeouts=loss_timeouts,
            lost_never_before=first_contact_until, retention=retention,
        )  # fmt: skip

    collect = CollectLoop(database, notifier, make_collector, owner=owner)
    dispatch = DispatchLoop(
        database, registry, notifier, owner=owner, disks=disks,
        max_running_jobs_per_user=settings.max_running_jobs_per_user,
    )  # fmt: skip
    registry.on_change(notifier.wake_loops)
    dispatching = _LoopTask("dispatch", dispatch)
    others = [
        _LoopTask("collect", collect),
        _LoopTask("reconcile", ReconcileLoop(database, registry, notifier, owner=owner, grace_seconds=grace)),
        _LoopTask("sweep", SweepLoop(database, store, retention, owner=owner)),
    ]
    try:
        yield
    finally:
        await dispatching.close()
        if is_local:
            await pause_active(database, registry, grace_seconds=grace)
        await asyncio.gather(*(loop.close() for loop in others))
        await collect.close()
        with suppress(DatabaseUnavailable):
            await _release_leases(database, owner=owner)


async def _release_leases(database: Database, owner: UUID | None) -> None:
    async with database.transaction() as session:
        await release_leases(session, owner)
