"""Loop that compares the jobs that instances hold with those they should hold, and stops or deletes the others."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.leases import release_lease, take_lease
from vision_api.training_jobs.loops.repository import jobs as repository
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.restarts import end_attempt
from vision_api.training_jobs.status import ACTIVE
from vision_api.training_services import Instance, InstanceRegistry, ServiceError
from vision_contracts import EndReason, HeldJob, StopRequest

logger = logging.getLogger(__name__)

POLL_SECONDS = 3.0
DELETED_UNREACHABLE = timedelta(seconds=60)
"""Time after which a deleted job is removed although its instance does not answer; an attempt that it may still hold
is stopped when it comes back.
"""


class ReconcileLoop:
    """Asks every instance once a round."""

    def __init__(
        self, database: Database, registry: InstanceRegistry, notifier: Notifier, *, owner: UUID, grace_seconds: float
    ) -> None:
        self._database = database
        self._registry = registry
        self._notifier = notifier
        self._owner = owner
        self._grace_seconds = grace_seconds

    async def wait(self) -> None:
        """Wait for a notification or the next round."""
        await self._notifier.reconcile.wait(POLL_SECONDS)

    async def tick(self) -> None:
        """Send the users' stop and pause requests, then compare."""
        await self._send_stop_requests()
        instances = self._registry.instances
        held = await asyncio.gather(*(self._compare(instance) for instance in instances))
        await self._finish_deleted(
            {each.instance_id: jobs for each, jobs in zip(instances, held, strict=True) if jobs is not None}
        )

    async def _send_stop_requests(self) -> None:
        """Repeat in every round until the terminal event is there: a request may get lost, and does no harm twice."""
        async with self._database.snapshot() as session:
            jobs = await repository.list_stop_requested(session)
        await asyncio.gather(*(self._send_stop_request(job) for job in jobs))

    async def _send_stop_request(self, job: TrainingJob) -> None:
        mode = "stop" if job.status == JobStatus.STOPPING else "pause"
        request = StopRequest(attempt=job.attempt, mode=mode, grace_seconds=self._grace_seconds)
        if job.instance_id is not None:
            await self._stop(job.instance_id, job.job_uid, request)

    async def _stop(self, instance_id: UUID, job_uid: UUID, request: StopRequest) -> None:
        instance = self._registry.get(instance_id)
        if instance is None:
            return
        try:
            await self._registry.client(instance).stop(job_uid, request)
        except ServiceError as error:  # the event collector decides whether it is lost
            logger.info("job %s: cannot %s it now: %s", job_uid, request.mode, error)

    async def _compare(self, instance: Instance) -> Sequence[HeldJob] | None:
        """Stop and delete jobs that this instance should not hold. Returns those it holds; None without an answer."""
        try:
            held = await self._registry.client(instance).held_jobs()
        except (ServiceError, KeyError) as error:
            logger.debug("%s does not list its jobs: %s", instance.url, error)
            return None
        async with self._database.snapshot() as session:
            known = await repository.list_by_uid(session, [each.job_uid for each in held])
        for each in held:
            job = known.get(each.job_uid)
            if not _should_hold(job, instance, each):
                await self._remove(instance, job, each)
        return held

    async def _remove(self, instance: Instance, job: TrainingJob | None, held: HeldJob) -> None:
        if held.state == "running":
            logger.info("job %s: attempt %d is not wanted at %s any more", held.job_uid, held.attempt, instance.url)
            request = StopRequest(attempt=held.attempt, mode="kill", grace_seconds=0)
            await self._stop(instance.instance_id, held.job_uid, request)
        elif job is None or await self._lease_idle(job):
            try:
                await self._registry.client(instance).delete(held.job_uid)
            except (ServiceError, KeyError) as error:
                logger.debug("job %s: cannot delete it at %s: %s", held.job_uid, instance.url, error)
            if job is not None:
                await self._release(job)

    async def _lease_idle(self, job: TrainingJob) -> bool:
        """Lease a job that no instance should have, so that no new attempt is sent while its folder is deleted."""
        async with self._database.transaction() as session:
            idle = await repository.lock_idle(session, job.id)
            if idle is not None:
                take_lease(idle, self._owner)
        return idle is not None

    async def _release(self, job: TrainingJob) -> None:
        async with self._database.transaction() as session:
            leased = await repository.lock_leased(session, job_id=job.id, owner=self._owner, attempt=job.attempt)
            if leased is not None:
                release_lease(leased)

    async def _finish_deleted(self, held: Mapping[UUID, Sequence[HeldJob]]) -> None:
        """End deleted jobs that their instances do not hold any more, so that the sweep removes them."""
        async with self._database.transaction() as session:
            for job in await repository.lock_deleted_at_instances(session):
                if _has_left(job, held):
                    end_attempt(session, job, EndReason.STOPPED_BY_USER, "It was deleted.")


def _should_hold(job: TrainingJob | None, instance: Instance, held: HeldJob) -> bool:
    if job is None or job.deleted_at is not None or job.project_id is None:
        return False
    is_current = job.instance_id == instance.instance_id and job.attempt == held.attempt
    return is_current and (job.status in ACTIVE or job.status == JobStatus.QUEUED)


def _has_left(job: TrainingJob, held: Mapping[UUID, Sequence[HeldJob]]) -> bool:
    there = held.get(job.instance_id) if job.instance_id is not None else None
    if there is None:
        return job.updated_at < utc_now() - DELETED_UNREACHABLE
    return all(each.job_uid != job.job_uid for each in there)
