"""Construction of the `JobSpec` that a training service gets, from the row of a job."""

from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import TrainingJob
from vision_api.storage_layout import attempt_uri
from vision_api.training_jobs import repository
from vision_contracts import CheckpointRef, DatasetFormat, DatasetRef, JobKind, JobSpec, TaskType, TrainingParams

Weights = Literal["scratch", "pretrained"] | CheckpointRef


class WeightsNotFound(Exception):
    """The checkpoint that a job should start from does not exist any more."""


async def make_spec(session: AsyncSession, job: TrainingJob) -> JobSpec:
    """Return the specification of the job's current attempt. Raises WeightsNotFound."""
    return JobSpec(
        kind=JobKind(job.kind),
        work=job.work,  # pyright: ignore[reportArgumentType] - checked by the contract
        job_uid=job.job_uid,
        attempt=job.attempt,
        framework=job.framework,
        model_name=job.model_name,
        task_type=TaskType(job.task_type),
        dataset=DatasetRef(uri=job.dataset_uri, format=DatasetFormat(job.dataset_format), digest=job.dataset_digest),
        output_uri=attempt_uri(job.output_uri, job.attempt),
        resume_from_uri=job.checkpoint_uri,
        best_checkpoint_uri=await _best_checkpoint(session, job),
        initial_weights=await _initial_weights(session, job),
        params=TrainingParams(
            epochs=job.epochs,
            batch_size=job.batch_size,
            learning_rate=job.learning_rate,
            optimizer=job.optimizer,
            device=job.device,
            num_devices=job.num_devices,
            seed=job.seed,
        ),
        hyperparameters=job.hyperparameters,
        timeout_seconds=job.timeout_seconds,
        request_id=job.request_id,
    )


async def _best_checkpoint(session: AsyncSession, job: TrainingJob) -> str | None:
    """Return the URI of the best weights so far, for a job that resumes."""
    best = await repository.find_artifact(session, job.id, "checkpoints/best") if job.checkpoint_uri else None
    return best.uri if best else None


async def _initial_weights(session: AsyncSession, job: TrainingJob) -> Weights:
    """Return the weights to start from; a job that resumes from a checkpoint of its own needs no others."""
    initial: Any = job.initial_weights
    if initial in ("scratch", "pretrained"):
        return initial
    if job.checkpoint_uri is not None:
        return "scratch"
    source = await repository.find_artifact(session, initial["job_id"], initial["artifact"])
    if source is None:
        raise WeightsNotFound(
            f"The checkpoint {initial['artifact']} of experiment {initial['job_id']} does not exist any more. "
            "Choose other initial weights."
        )
    return CheckpointRef(uri=source.uri, sha256=source.sha256)
