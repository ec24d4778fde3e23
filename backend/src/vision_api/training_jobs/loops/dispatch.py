"""Gives queued jobs to instances. The instance and the attempt are committed before anything is sent."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.base import database_now
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.kit.logging import request_id_var
from vision_api.kit.tracing import span
from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.instrumentation import count_dispatch
from vision_api.training_jobs.loops import leases, repository
from vision_api.training_jobs.loops.job_specs import WeightsGone, make_spec
from vision_api.training_jobs.loops.plan import Candidate, Plan, capacity_of, make_plan
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.restarts import leave_instance
from vision_api.training_jobs.status import StatusReason, explain_status, switch_status
from vision_api.training_services import InstanceRegistry, ServiceRejected, ServiceUnavailable
from vision_contracts import EndReason, JobKind, JobSpec, WaitReason

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
UNANSWERED_SECONDS = 15.0
"""How long a start is repeated to an instance that does not answer, before the job is taken away from it."""

_BUSY = frozenset({"no_free_slot", "draining"})
_REASONS = {
    "dataset_not_visible": EndReason.BAD_DATA,
    "hyperparameters_invalid": EndReason.BAD_HYPERPARAMETERS,
    "kind_not_supported": EndReason.KIND_NOT_SUPPORTED,
    "model_unknown": EndReason.BAD_HYPERPARAMETERS,
    "task_not_supported": EndReason.BAD_HYPERPARAMETERS,
}


@dataclass(frozen=True, slots=True)
class Sending:
    """An attempt on its way to an instance."""

    job_id: int
    instance_id: UUID
    spec: JobSpec


Answer = ServiceRejected | ServiceUnavailable | None
"""None: taken on."""


class DispatchLoop:
    """Load: lease and commit. Process: send. Apply: what was answered."""

    def __init__(
        self,
        database: Database,
        registry: InstanceRegistry,
        notifier: Notifier,
        *,
        owner: UUID,
        max_running_jobs_per_user: int = 0,
    ) -> None:
        self._database = database
        self._registry = registry
        self._notifier = notifier
        self._owner = owner
        self._max_per_user = max_running_jobs_per_user

    async def wait(self) -> None:
        """Until there may be something to do."""
        await self._notifier.dispatch.wait(POLL_SECONDS)

    async def tick(self) -> None:
        """Start what can be started now."""
        sendings = await self._load()
        answers = await asyncio.gather(*(self._send(sending) for sending in sendings))
        for sending, answer in zip(sendings, answers, strict=True):
            await self._apply(sending, answer)
        if sendings:
            self._notifier.collect.set()

    async def _load(self) -> list[Sending]:
        async with self._database.transaction() as session:
            await repository.plan_alone(session)
            unanswered = await repository.lock_unanswered(session)
            plan = await self._plan(session)
            for job, instance_id in plan.starts:
                job.instance_id = instance_id
                job.attempt = max(job.attempt, job.attempt_floor) + 1
                job.service_cursor = 0
                job.dispatched_at = database_now()
            for job, why in plan.waits:
                if job.status_reason != why.reason:
                    explain_status(session, job, why)
            sent = [*unanswered, *(job for job, _ in plan.starts)]
            sendings = await self._prepare(session, sent)
        for job in [*sent, *(job for job, _ in plan.waits)]:
            self._notifier.job_changed(job.id)
        return sendings

    async def _plan(self, session: AsyncSession) -> Plan:
        queued = await repository.lock_queued(session)
        instances = [(each.instance_id, each.framework, each.ready) for each in self._registry.instances]
        capacity = capacity_of(
            instances,
            await repository.count_held(session),
            await repository.count_running_of_users(session) if self._max_per_user else {},
            self._max_per_user,
        )
        candidates = [Candidate(job, job.framework, job.created_by_id, job.not_before) for job in queued]
        return make_plan(candidates, capacity, utc_now())

    async def _prepare(self, session: AsyncSession, jobs: Sequence[TrainingJob]) -> list[Sending]:
        """Lease what will be sent; what cannot be sent at all has failed."""
        sendings: list[Sending] = []
        for job in jobs:
            try:
                spec = await make_spec(session, job)
            except WeightsGone as gone:
                leave_instance(job)
                switch_status(session, job, JobStatus.FAILED, StatusReason(EndReason.WEIGHTS_UNAVAILABLE, str(gone)))
                continue
            assert job.instance_id is not None  # noqa: S101 - both kinds of jobs have one
            leases.take(job, self._owner)
            sendings.append(Sending(job.id, job.instance_id, spec))
        return sendings

    async def _send(self, sending: Sending) -> Answer:
        request_id_var.set(sending.spec.request_id)  # of the task that `tick` makes for each sending
        instance = self._registry.get(sending.instance_id)
        if instance is None:
            return ServiceUnavailable("The instance that this attempt was sent to does not answer.")
        try:
            with span("dispatch", job_uid=str(sending.spec.job_uid), request_id=sending.spec.request_id or ""):
                await self._registry.client(instance).start(sending.spec)
            logger.info("job %s: attempt %d starts at %s", sending.spec.job_uid, sending.spec.attempt, instance.url)
        except (ServiceRejected, ServiceUnavailable) as answer:
            return answer
        return None

    async def _apply(self, sending: Sending, answer: Answer) -> None:
        async with self._database.transaction() as session:
            job = await leases.lock_leased(
                session, job_id=sending.job_id, owner=self._owner, attempt=sending.spec.attempt
            )
            if job is None or job.status != JobStatus.QUEUED or job.instance_id != sending.instance_id:
                self._notifier.reconcile.set()  # a user was faster: whatever the instance has must be stopped
                return
            leases.release(job)
            if answer is None:
                switch_status(session, job, JobStatus.STARTING)
                count_dispatch(job)
            elif isinstance(answer, ServiceRejected):
                _refused(session, job, answer)
            else:
                await _not_answered(session, job, answer)
        self._notifier.job_changed(sending.job_id)


def _refused(session: AsyncSession, job: TrainingJob, answer: ServiceRejected) -> None:
    leave_instance(job)
    if answer.code in _BUSY:
        job.attempt -= 1  # this attempt has never been anywhere
        job.not_before = utc_now() + timedelta(seconds=POLL_SECONDS)
        explain_status(session, job, StatusReason(WaitReason.NO_FREE_SLOT, str(answer)))
    elif answer.code == "attempt_superseded":
        logger.warning("job %s: its instance knows a later attempt than %d", job.job_uid, job.attempt)
    else:
        reason = _REASONS.get(answer.code, EndReason.INTERNAL)
        if job.kind != JobKind.TRAIN and any(error.field == "kind" for error in answer.problem.errors or []):
            reason = EndReason.KIND_NOT_SUPPORTED  # of a service that is too old to know the word
        message = f"The training service refused this experiment: {_explanation(answer)} Mend that and retry."
        switch_status(session, job, JobStatus.FAILED, StatusReason(reason, message))


def _explanation(answer: ServiceRejected) -> str:
    errors = answer.problem.errors or []
    return " ".join(f"{error.field}: {error.message}" for error in errors) or answer.problem.detail


async def _not_answered(session: AsyncSession, job: TrainingJob, answer: ServiceUnavailable) -> None:
    """Nothing is known about whether it was taken on, so it stays with this instance for a while."""
    if job.status_reason != WaitReason.SERVICE_UNAVAILABLE:
        explain_status(session, job, StatusReason(WaitReason.SERVICE_UNAVAILABLE, str(answer)))
    oldest = await session.scalar(database_now(-UNANSWERED_SECONDS).select())
    if job.dispatched_at is None or (oldest is not None and job.dispatched_at < oldest):
        leave_instance(job)
        job.not_before = utc_now() + timedelta(seconds=POLL_SECONDS)
