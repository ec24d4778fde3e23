"""Requests about operations on experiments, each in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.datasets.resolution import resolve_for_job
from vision_api.errors import Conflict, Invalid, NotFound
from vision_api.kit.idempotency import Idempotency
from vision_api.models import Artifact, JobStatus, TrainingJob, User
from vision_api.operations import repository
from vision_api.operations.schemas import EvaluationCreate, OperationRead
from vision_api.operations.serializers import read_operation
from vision_api.training_jobs import access
from vision_api.training_jobs import repository as jobs
from vision_api.training_jobs.events import announce_request
from vision_api.training_jobs.kinds import rules_of
from vision_api.training_jobs.settings import JobDataset
from vision_api.training_jobs.status import ENDED, switch_status
from vision_contracts import ArtifactKind, TaskType

PREDICTIONS = "predictions.json"


class OperationCreated(BaseModel):
    """The result that is stored with the idempotency key of a request."""

    id: int


async def get_checkpoint(session: AsyncSession, *, user: User, job_id: int, artifact: str) -> tuple[TrainingJob, str]:
    """Return the experiment and the full name of its checkpoint. Raises NotFound, Forbidden, Conflict or Invalid."""
    job = await access.get_job_for(session, user, job_id, role="editor")
    access.require_training(job, "used again")
    found = await jobs.find_artifact(session, job_id, artifact)
    if found is None and artifact.startswith("checkpoints/best"):
        raise Conflict(f"This experiment is {job.status} and has no checkpoint yet: train it first.")
    if found is None or found.kind != ArtifactKind.CHECKPOINT:
        raise Invalid(f"This experiment has no checkpoint {artifact!r}.", field="artifact")
    return job, found.name


async def find_dataset(
    session: AsyncSession, *, user: User, job: TrainingJob, request: EvaluationCreate
) -> JobDataset | None:
    """Return the data set that an evaluation names; None if it names none."""
    if request.dataset_id is None or job.project_id is None:
        return None
    resolved = await resolve_for_job(
        session,
        user,
        dataset_id=request.dataset_id,
        version=request.dataset_version,
        project_id=job.project_id,
        task_type=TaskType(job.task_type),
    )
    return JobDataset.of_version(request.dataset_id, resolved, seed=job.seed)


async def get_dataset_name(session: AsyncSession, *, job: TrainingJob) -> str:
    """Return the name of an experiment's data set, or of its folder; empty where the data set is deleted."""
    return await repository.dataset_name(session, job)


async def queue(
    session: AsyncSession,
    *,
    user: User,
    row: TrainingJob,
    idempotency: Idempotency | None = None,
    body: BaseModel | Mapping[str, Any] | None = None,
) -> int:
    """Insert `row` as queued and return its id, or the id of the row that the same request has inserted before.

    Its experiment, if it has one, is locked, so that it is not deleted meanwhile.
    """
    if row.parent_id is not None:
        await access.lock_job_for(session, user, row.parent_id)

    async def add() -> OperationCreated:
        await access.require_queue_room(session, user_id=row.created_by_id)
        session.add(row)
        await session.flush()
        switch_status(session, row, JobStatus.QUEUED)
        announce_request(session, row)
        return OperationCreated(id=row.id)

    if idempotency is None:
        return (await add()).id
    created = await idempotency.once(
        session,
        user_id=user.id,
        body=body,
        result_type=OperationCreated,
        create=add,
        find=lambda made: get_operation(session, user=user, operation_id=made.id, job_id=row.parent_id),
    )
    return created.id


async def has_ended(session: AsyncSession, *, operation_id: int) -> bool:
    """Return whether an operation has ended, or is deleted."""
    row = await jobs.get_job(session, operation_id)
    return row is None or row.status in ENDED


async def get_operation(
    session: AsyncSession, *, user: User, operation_id: int, job_id: int | None
) -> tuple[OperationRead, Artifact | None]:
    """Return an operation, and the report with its predictions if it has one. Without `job_id`, it is a pre-flight.

    Raises NotFound.
    """
    if job_id is not None:
        await access.get_job_for(session, user, job_id)
    row = await repository.get_operation(session, operation_id, parent_id=job_id)
    try:
        if row is None:
            raise NotFound
        await access.get_job_for(session, user, row.id)
    except NotFound as error:  # the same for what there is not, and for what is others'
        raise NotFound("There is no such operation (any more).") from error
    [operation] = await _read(session, [row])
    report = await jobs.find_artifact(session, row.id, PREDICTIONS) if rules_of(row).has_predictions else None
    return operation, report


async def list_operations(session: AsyncSession, *, user: User, job_id: int, limit: int) -> list[OperationRead]:
    """Return the operations on an experiment, newest first, without predictions. Raises NotFound."""
    await access.get_job_for(session, user, job_id)
    return await _read(session, await repository.list_operations(session, job_id, limit=limit))


async def _read(session: AsyncSession, rows: Sequence[TrainingJob]) -> list[OperationRead]:
    """Read all rows with a number of statements that does not depend on theirs."""
    operation_ids = [row.id for row in rows]
    positions = await jobs.queue_positions(session, rows)
    values = await repository.list_last_values(session, operation_ids)
    artifacts = await repository.list_operation_artifacts(session, operation_ids)
    return [
        read_operation(row, queue_position=positions.get(row.id), values=values[row.id], artifacts=artifacts[row.id])
        for row in rows
    ]
