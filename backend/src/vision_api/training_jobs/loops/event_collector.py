"""Follows one attempt: reads its event stream, and applies what comes, until it ends or is lost."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.logging import request_id_var
from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.instrumentation import observe_stored
from vision_api.training_jobs.loops import leases
from vision_api.training_jobs.loops.batching import in_batches
from vision_api.training_jobs.loops.event_batch import EventBatch
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION, Retention
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.restarts import leave_instance, lose_attempt
from vision_api.training_jobs.status import StatusReason, switch_status
from vision_api.training_services import InstanceRegistry, ServiceRejected, ServiceUnavailable
from vision_contracts import SILENCE_SECONDS, EndReason, JobEvent

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
TROUBLE_SECONDS = 1.0
MAX_TROUBLES = 5


@dataclass(frozen=True, slots=True)
class LossTimeouts:
    """How long an instance may not be heard of before it is lost."""

    silence_seconds: float = SILENCE_SECONDS
    first_contact_seconds: float = 15.0
    """So long at least after a start of the backend: everything else may just have been started too."""


LOSS_TIMEOUTS = LossTimeouts()
LOCAL_LOSS_TIMEOUTS = LossTimeouts(first_contact_seconds=30.0)
"""Where the backend itself starts the services, on a machine that may be slow."""


@dataclass(frozen=True, slots=True)
class CollectedAttempt:
    """The attempt that is followed."""

    job_id: int
    job_uid: UUID
    attempt: int
    instance_id: UUID
    cursor: int
    request_id: str | None


class EventCollector:
    """Holds the lease of one active job: the only one that collects its events."""

    def __init__(
        self,
        database: Database,
        registry: InstanceRegistry,
        notifier: Notifier,
        *,
        owner: UUID,
        followed: CollectedAttempt,
        loss_timeouts: LossTimeouts,
        lost_never_before: float = 0.0,
        retention: Retention = DEFAULT_RETENTION,
    ) -> None:
        """`lost_never_before` is a moment of the monotonic clock."""
        self._database = database
        self._registry = registry
        self._notifier = notifier
        self._owner = owner
        self._followed = followed
        self._cursor = followed.cursor
        self._loss_timeouts = loss_timeouts
        self._retention = retention
        self._lost_at = max(time.monotonic() + loss_timeouts.silence_seconds, lost_never_before)
        self._is_over = False
        self._troubles = 0

    async def run(self) -> None:
        """Until the attempt is over, or somebody else has it. Runs as a task of its own."""
        request_id_var.set(self._followed.request_id)
        while not self._is_over:
            try:
                await self._follow_patiently()
            except Exception:
                self._troubles += 1
                logger.exception("job %s: its events cannot be stored", self._followed.job_uid)
                if self._troubles >= MAX_TROUBLES:
                    with suppress(DatabaseUnavailable):  # then in the next round
                        await self._give_up()
                await asyncio.sleep(TROUBLE_SECONDS)

    async def _follow_patiently(self) -> None:
        """Follow for as long as nothing goes wrong but the service or the database."""
        while not self._is_over:
            try:
                await self._follow_or_lose()
            except DatabaseUnavailable as error:
                logger.warning("job %s: its events wait for the database: %s", self._followed.job_uid, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow_or_lose(self) -> None:
        try:
            await self._follow()
        except ServiceRejected as rejection:
            await self._lose(f"The training service does not have this attempt any more ({rejection}).")
        except ServiceUnavailable as error:
            if self._is_lost():
                await self._lose("The training service has vanished.")
            else:
                logger.debug("job %s: %s", self._followed.job_uid, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        followed = self._followed
        instance = self._registry.get(followed.instance_id)
        if instance is None:
            raise ServiceUnavailable(f"instance {followed.instance_id} does not answer")
        stream = self._registry.client(instance).events(followed.job_uid, followed.attempt, self._cursor)
        async with aclosing(stream) as events, aclosing(in_batches(events)) as batches:
            async for batch in batches:
                self._lost_at = time.monotonic() + self._loss_timeouts.silence_seconds
                if batch:
                    await self._apply(batch)
                if self._is_over:
                    return

    def _is_lost(self) -> bool:
        """Whether nothing has been heard of the instance for too long, on this stream or otherwise."""
        return time.monotonic() >= self._lost_at and self._registry.get(self._followed.instance_id) is None

    async def _apply(self, batch: Sequence[JobEvent]) -> None:
        followed = self._followed
        async with self._database.transaction() as session:
            job = await leases.lock_leased(session, job_id=followed.job_id, owner=self._owner, attempt=followed.attempt)
            if job is not None:
                await EventBatch(session, job, self._retention).apply(batch)
        observe_stored(batch[0].time)
        self._cursor = batch[-1].seq
        self._troubles = 0
        self._is_over = job is None or batch[-1].is_terminal
        self._tell()

    async def _lose(self, message: str) -> None:
        logger.warning("job %s: attempt %d is lost: %s", self._followed.job_uid, self._followed.attempt, message)
        await self._end(lambda session, job: lose_attempt(session, job, EndReason.SERVICE_LOST, message))

    async def _give_up(self) -> None:
        """A job that cannot be followed must not look as if it ran."""

        def fail(session: AsyncSession, job: TrainingJob) -> None:
            leave_instance(job)
            why = "The platform could not store what the trainer told. Its log says more; tell whoever operates it."
            switch_status(session, job, JobStatus.FAILED, StatusReason(EndReason.INTERNAL, why))

        await self._end(fail)

    async def _end(self, change: Callable[[AsyncSession, TrainingJob], None]) -> None:
        followed = self._followed
        async with self._database.transaction() as session:
            job = await leases.lock_leased(session, job_id=followed.job_id, owner=self._owner, attempt=followed.attempt)
            if job is not None:
                change(session, job)
        self._is_over = True
        self._tell()

    def _tell(self) -> None:
        self._notifier.job_changed(self._followed.job_id)
        if self._is_over:
            self._registry.expect_change()
            self._notifier.wake_loops()
