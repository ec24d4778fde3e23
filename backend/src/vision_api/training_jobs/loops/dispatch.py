"""Loop that sends queued jobs to instances. The instance and the attempt are committed before anything is sent."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.db.base import database_now
from vision_api.db.session import Database
from vision_api.disk_space.disks import Disks
from vision_api.kit.clock import utc_now
from vision_api.kit.logging import request_id_var
from vision_api.kit.tracing import span
from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.instrumentation import count_dispatch
from vision_api.training_jobs.kinds import rules_of
from vision_api.training_jobs.leases import release_lease, take_lease
from vision_api.training_jobs.loops.job_specs import WeightsNotFound, make_spec
from vision_api.training_jobs.loops.plan import Candidate, Plan, make_capacity, make_plan
from vision_api.training_jobs.loops.repository import jobs as repository
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_jobs.restarts import end_attempt, leave_instance
from vision_api.training_jobs.status import StatusReason, explain_status, switch_status
from vision_api.training_services import InstanceRegistry, ServiceRejected, ServiceUnavailable
from vision_contracts import EndReason, JobSpec, WaitReason

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
UNANSWERED_SECONDS = 15.0
"""Time for which a start is repeated to an instance that does not answer, before another one may get the job."""

_REASON_OF_BUSY_CODE = {
    "no_free_slot": WaitReason.NO_FREE_SLOT,
    "draining": WaitReason.NO_FREE_SLOT,
    "storage_full": WaitReason.STORAGE_FULL,
}
_REASON_OF_CODE = {
    "dataset_not_visible": EndReason.BAD_DATA,
    "hyperparameters_invalid": EndReason.BAD_HYPERPARAMETERS,
    "kind_not_supported": EndReason.KIND_NOT_SUPPORTED,
    "model_unknown": EndReason.BAD_HYPERPARAMETERS,
    "task_not_supported": EndReason.BAD_HYPERPARAMETERS,
}


@dataclass(frozen=True, slots=True)
class StartRequest:
    """An attempt that is being sent to an instance."""

    job_id: int
    instance_id: UUID
    spec: JobSpec


Answer = ServiceRejected | ServiceUnavailable | None
"""None: the instance has accepted the attempt."""


class DispatchLoop:
    """Loads jobs (plan, lease, commit), sends them, and applies the answers."""

    def __init__(
        self,
        database: Database,
        registry: InstanceRegistry,
        notifier: Notifier,
        *,
        owner: UUID,
        max_running_jobs_per_user: int = 0,
        disks: Disks | None = None,
    ) -> None:
        self._database = database
        self._registry = registry
        self._notifier = notifier
        self._owner = owner
        self._max_per_user = max_running_jobs_per_user
        self._disks = disks or Disks({})

    async def wait(self) -> None:
        """Wait for a notification or the next round."""
        await self._notifier.dispatch.wait(POLL_SECONDS)

    async def tick(self) -> None:
        """Start the jobs that can be started now."""
        requests = await self._load()
        answers = await asyncio.gather(*(self._send(request) for request in requests))
        for request, answer in zip(requests, answers, strict=True):
            await self._apply(request, answer)
        if requests:
            self._notifier.collect.set()

    async def _load(self) -> list[StartRequest]:
        async with self._database.transaction() as session:
            await repository.lock_planning(session)
            unanswered = await repository.lock_unanswered(session)
            plan = await self._plan(session)
            for job, instance_id in plan.starts:
                job.instance_id = instance_id
                job.attempt = max(job.attempt, job.attempt_floor) + 1
                job.service_cursor = 0
                job.dispatched_at = database_now()
            for job, reason in plan.waits:
                if job.status_reason != reason.code:
                    explain_status(session, job, reason)
            to_send = [*unanswered, *(job for job, _ in plan.starts)]
            requests = await self._make_requests(session, to_send)
        for job in [*to_send, *(job for job, _ in plan.waits)]:
            self._notifier.notify_job_changed(job.id)
        return requests

    async def _plan(self, session: AsyncSession) -> Plan:
        queued = await repository.lock_queued(session)
        instances = [(each.instance_id, each.framework, each.ready) for each in self._registry.instances]
        capacity = make_capacity(
            instances,
            await repository.count_held_slots(session),
            await repository.count_running_by_user(session) if self._max_per_user else {},
            self._max_per_user,
            is_storage_full=not self._disks.has_room(),
        )
        candidates = [Candidate(job, job.framework, job.created_by_id, job.not_before) for job in queued]
        return make_plan(candidates, capacity, utc_now())

    async def _make_requests(self, session: AsyncSession, jobs: Sequence[TrainingJob]) -> list[StartRequest]:
        """Lease the jobs that will be sent; those of which no specification can be made fail."""
        requests: list[StartRequest] = []
        for job in jobs:
            try:
                spec = await make_spec(session, job)
            except WeightsNotFound as error:
                end_attempt(session, job, EndReason.WEIGHTS_UNAVAILABLE, str(error))
                continue
            assert job.instance_id is not None  # noqa: S101 - both kinds of jobs have one
            take_lease(job, self._owner)
            requests.append(StartRequest(job.id, job.instance_id, spec))
        return requests

    async def _send(self, request: StartRequest) -> Answer:
        spec = request.spec
        request_id_var.set(spec.request_id)  # set in the task that `tick` makes for each request
        instance = self._registry.get(request.instance_id)
        if instance is None:
            return ServiceUnavailable("The instance that this attempt was sent to does not answer.")
        try:
            with span("dispatch", job_uid=str(spec.job_uid), request_id=spec.request_id or ""):
                await self._registry.client(instance).start(spec)
            logger.info("job %s: attempt %d starts at %s", spec.job_uid, spec.attempt, instance.url)
        except (ServiceRejected, ServiceUnavailable) as answer:
            return answer
        return None

    async def _apply(self, request: StartRequest, answer: Answer) -> None:
        async with self._database.transaction() as session:
            job = await repository.lock_leased(
                session, job_id=request.job_id, owner=self._owner, attempt=request.spec.attempt
            )
            if job is None or job.status != JobStatus.QUEUED or job.instance_id != request.instance_id:
                self._notifier.reconcile.set()  # a user was faster: the instance must stop the attempt
                return
            release_lease(job)
            if answer is None:
                switch_status(session, job, JobStatus.STARTING)
                count_dispatch(job)
            elif isinstance(answer, ServiceRejected):
                _apply_rejection(session, job, answer)
            else:
                await _apply_no_answer(session, job, answer)
        self._notifier.notify_job_changed(request.job_id)


def _apply_rejection(session: AsyncSession, job: TrainingJob, answer: ServiceRejected) -> None:
    leave_instance(job)
    if (wait_reason := _REASON_OF_BUSY_CODE.get(answer.code)) is not None:
        job.attempt -= 1  # no instance has had this attempt
        job.not_before = utc_now() + timedelta(seconds=POLL_SECONDS)
        explain_status(session, job, StatusReason(wait_reason, str(answer)))
    elif answer.code == "attempt_superseded":
        logger.warning("job %s: its instance knows a later attempt than %d", job.job_uid, job.attempt)
    else:
        reason = _REASON_OF_CODE.get(answer.code, EndReason.INTERNAL)
        if not rules_of(job).is_experiment and any(error.field == "kind" for error in answer.problem.errors or []):
            reason = EndReason.KIND_NOT_SUPPORTED  # an older service does not know this kind
        message = f"The training service refused this experiment: {_explanation(answer)} {reason.advice}"
        end_attempt(session, job, reason, message)


def _explanation(answer: ServiceRejected) -> str:
    errors = answer.problem.errors or []
    return " ".join(f"{error.field}: {error.message}" for error in errors) or answer.problem.detail


async def _apply_no_answer(session: AsyncSession, job: TrainingJob, answer: ServiceUnavailable) -> None:
    """Leave the job with its instance for a while, since the instance may have accepted it."""
    if job.status_reason != WaitReason.SERVICE_UNAVAILABLE:
        explain_status(session, job, StatusReason(WaitReason.SERVICE_UNAVAILABLE, str(answer)))
    if await repository.is_dispatched_before(session, job, seconds_ago=UNANSWERED_SECONDS):
        leave_instance(job)
        job.not_before = utc_now() + timedelta(seconds=POLL_SECONDS)
