"""All loops for as long as the backend runs, and how they end."""

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
from vision_api.errors import DatabaseUnavailable
from vision_api.training_jobs.loops import leases
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
from vision_api.training_jobs.loops.retention import Retention
from vision_api.training_jobs.loops.shutdown import pause_active
from vision_api.training_jobs.loops.sweep import SweepLoop
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_services import InstanceRegistry

logger = logging.getLogger(__name__)

TROUBLE_SECONDS = 1.0


class Loop(Protocol):
    """Something to do again and again."""

    async def tick(self) -> None:
        """Do it once. What it raises is logged, and it is done again."""
        ...

    async def wait(self) -> None:
        """Until there may be something to do again."""
        ...


class _Running:
    """One loop as a task that can be asked to end between two rounds."""

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
                await asyncio.sleep(TROUBLE_SECONDS)
            except Exception:
                logger.exception("%s failed in this round", self._name)
                await asyncio.sleep(TROUBLE_SECONDS)
            await self._wait()

    async def _wait(self) -> None:
        waiting = {asyncio.ensure_future(self._loop.wait()), asyncio.ensure_future(self._is_closing.wait())}
        _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()

    async def close(self) -> None:
        """Finish the present round."""
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
    loss_timeouts: LossTimeouts | None = None,
) -> AsyncGenerator[None]:
    """Dispatch, collect, reconcile and sweep. Where the services are the backend's own children, what trains is
    paused at the end and goes on at the next start; elsewhere the trainers do not notice that the backend has gone.
    """
    owner = uuid4()
    if database.is_sqlite:  # nobody else can be at work: leases are left over from a backend that was killed
        await _release_leases(database, owner=None)
    grace, retention = settings.stop_grace_seconds, Retention.from_settings(settings)
    is_local = settings.training_execution_mode == "subprocess"
    loss_timeouts = loss_timeouts or (LOCAL_LOSS_TIMEOUTS if is_local else LOSS_TIMEOUTS)
    first_contact_until = time.monotonic() + loss_timeouts.first_contact_seconds

    def follow(followed: CollectedAttempt) -> EventCollector:
        return EventCollector(
            database, registry, notifier, owner=owner, followed=followed, loss_timeouts=loss_timeouts,
            lost_never_before=first_contact_until, retention=retention,
        )  # fmt: skip

    collect = CollectLoop(database, notifier, follow, owner=owner)
    dispatch = DispatchLoop(
        database, registry, notifier, owner=owner, max_running_jobs_per_user=settings.max_running_jobs_per_user
    )
    registry.on_change(notifier.wake_loops)
    dispatching = _Running("dispatch", dispatch)
    others = [
        _Running("collect", collect),
        _Running("reconcile", ReconcileLoop(database, registry, notifier, owner=owner, grace_seconds=grace)),
        _Running("sweep", SweepLoop(database, store, retention, owner=owner)),
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
        await leases.release_all(session, owner)
