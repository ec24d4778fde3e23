"""Collection of the events of one attempt: reads its stream and stores the events until it ends or is lost."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from uuid import UUID

from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.logging import request_id_var
from vision_api.training_jobs.instrumentation import observe_stored
from vision_api.training_jobs.loops.batching import in_batches
from vision_api.training_jobs.loops.event_batch import EventBatch
from vision_api.training_jobs.loops.repository.jobs import lock_leased
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION, Retention
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.restarts import end_attempt
from vision_api.training_services import InstanceRegistry, ServiceRejected, ServiceUnavailable
from vision_contracts import SILENCE_SECONDS, EndReason, JobEvent

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
RETRY_AFTER_FAILURE_SECONDS = 1.0
MAX_FAILURES = 5


@dataclass(frozen=True, slots=True)
class LossTimeouts:
    """Durations without a sign of an instance after which it counts as lost."""

    silence_seconds: float = SILENCE_SECONDS
    first_contact_seconds: float = 15.0
    """The least of them after a start of the backend, since the services may have just been started too."""


LOSS_TIMEOUTS = LossTimeouts()
LOCAL_LOSS_TIMEOUTS = LossTimeouts(first_contact_seconds=30.0)
"""The timeouts of a backend that starts the services itself, on a machine that may be slow."""


@dataclass(frozen=True, slots=True)
class CollectedAttempt:
    """The attempt whose events are collected."""

    job_id: int
    job_uid: UUID
    attempt: int
    instance_id: UUID
    cursor: int
    request_id: str | None


class EventCollector:
    """Collects the events of one active job, of which this backend holds the lease."""

    def __init__(
        self,
        database: Database,
        registry: InstanceRegistry,
        notifier: Notifier,
        *,
        owner: UUID,
        attempt: CollectedAttempt,
        loss_timeouts: LossTimeouts,
        lost_never_before: float = 0.0,
        retention: Retention = DEFAULT_RETENTION,
    ) -> None:
        """`lost_never_before` is a moment of the monotonic clock."""
        self._database = database
        self._registry = registry
        self._notifier = notifier
        self._owner = owner
        self._attempt = attempt
        self._cursor = attempt.cursor
        self._loss_timeouts = loss_timeouts
        self._retention = retention
        self._lost_at = max(time.monotonic() + loss_timeouts.silence_seconds, lost_never_before)
        self._is_over = False
        self._failures = 0

    async def run(self) -> None:
        """Collect until the attempt is over or leased by another backend. Runs as a task of its own."""
        request_id_var.set(self._attempt.request_id)
        while not self._is_over:
            try:
                await self._collect_while_storable()
            except Exception:
                self._failures += 1
                logger.exception("job %s: its events cannot be stored", self._attempt.job_uid)
                if self._failures >= MAX_FAILURES:
                    with suppress(DatabaseUnavailable):  # retried in the next round
                        await self._give_up()
                await asyncio.sleep(RETRY_AFTER_FAILURE_SECONDS)

    async def _collect_while_storable(self) -> None:
        """Collect for as long as events can be stored, and wait while the service or the database is unavailable."""
        while not self._is_over:
            try:
                await self._collect_or_lose()
            except DatabaseUnavailable as error:
                logger.warning("job %s: its events wait for the database: %s", self._attempt.job_uid, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _collect_or_lose(self) -> None:
        try:
            await self._collect()
        except ServiceRejected as rejection:
            await self._lose(f"The training service does not have this attempt any more ({rejection}).")
        except ServiceUnavailable as error:
            if self._is_lost():
                await self._lose("The training service has vanished.")
            else:
                logger.debug("job %s: %s", self._attempt.job_uid, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _collect(self) -> None:
        attempt = self._attempt
        instance = self._registry.get(attempt.instance_id)
        if instance is None:
            raise ServiceUnavailable(f"instance {attempt.instance_id} does not answer")
        stream = self._registry.client(instance).events(attempt.job_uid, attempt.attempt, self._cursor)
        async with aclosing(stream) as events, aclosing(in_batches(events)) as batches:
            async for batch in batches:
                self._lost_at = time.monotonic() + self._loss_timeouts.silence_seconds
                if batch:
                    await self._apply(batch)
                if self._is_over:
                    return

    def _is_lost(self) -> bool:
        """Return whether the instance has been silent for too long, on this stream and to the registry."""
        return time.monotonic() >= self._lost_at and self._registry.get(self._attempt.instance_id) is None

    async def _apply(self, batch: Sequence[JobEvent]) -> None:
        attempt = self._attempt
        async with self._database.transaction() as session:
            job = await lock_leased(session, job_id=attempt.job_id, owner=self._owner, attempt=attempt.attempt)
            if job is not None:
                await EventBatch(session, job, self._retention).apply(batch)
        observe_stored(batch[0].time)
        self._cursor = batch[-1].seq
        self._failures = 0
        self._is_over = job is None or batch[-1].is_terminal
        self._notify()

    async def _lose(self, message: str) -> None:
        logger.warning("job %s: attempt %d is lost: %s", self._attempt.job_uid, self._attempt.attempt, message)
        await self._end(EndReason.SERVICE_LOST, message)

    async def _give_up(self) -> None:
        """Fail a job whose events cannot be stored: it must not look as if it ran."""
        message = "The platform could not store the trainer's events. Tell its operator: its log has the error."
        await self._end(EndReason.INTERNAL, message)

    async def _end(self, reason: EndReason, message: str) -> None:
        attempt = self._attempt
        async with self._database.transaction() as session:
            job = await lock_leased(session, job_id=attempt.job_id, owner=self._owner, attempt=attempt.attempt)
            if job is not None:
                end_attempt(session, job, reason, message)
        self._is_over = True
        self._notify()

    def _notify(self) -> None:
        self._notifier.notify_job_changed(self._attempt.job_id)
        if self._is_over:
            self._registry.expect_change()
            self._notifier.wake_loops()
