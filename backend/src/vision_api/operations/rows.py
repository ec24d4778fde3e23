"""Rows of operations, not yet inserted."""

from uuid import UUID

from vision_api.kit.clock import utc_now
from vision_api.kit.logging import request_id_var
from vision_api.models import JobStatus, TrainingJob, User
from vision_api.storage_layout import job_uri
from vision_api.training_jobs.schemas import InitialCheckpoint
from vision_api.training_jobs.settings import JobDataset, JobSettings
from vision_contracts import Operation


def new_operation(
    operation: Operation,
    settings: JobSettings,
    *,
    uid: UUID,
    storage_url: str,
    user: User,
    project_id: int | None,
    parent_id: int | None = None,
) -> TrainingJob:
    """Return the row of an operation, which takes one device."""
    now = utc_now()
    own = {
        "project_id": project_id,
        "parent_id": parent_id,
        "job_uid": uid,
        "output_uri": job_uri(storage_url, uid),
        "created_by_id": user.id,
        "created_at": now,
        "updated_at": now,
        "queued_at": now,
        "request_id": request_id_var.get(),
        "name": operation.kind,
        "notes": "",
        "num_devices": 1,
        "kind": operation.kind,
        "work": operation.model_dump(mode="json"),
        "status": JobStatus.PENDING,
    }
    return TrainingJob(**(settings.columns() | own))


def new_operation_on(
    job: TrainingJob,
    operation: Operation,
    *,
    uid: UUID,
    storage_url: str,
    user: User,
    checkpoint: str,
    priority: int,
    dataset: JobDataset | None = None,
) -> TrainingJob:
    """Return the row of an operation on an experiment. Without a data set, it has that of the experiment."""
    settings = JobSettings.of(job)
    changed = {
        "dataset": (dataset or settings.dataset).model_copy(update={"validation_split": "val"}),
        "initial_weights": InitialCheckpoint(job_id=job.id, artifact=checkpoint),
        "priority": priority,
        "timeout_seconds": None,
    }
    return new_operation(
        operation,
        settings.model_copy(update=changed),
        uid=uid,
        storage_url=storage_url,
        user=user,
        project_id=job.project_id,
        parent_id=job.id,
    )
