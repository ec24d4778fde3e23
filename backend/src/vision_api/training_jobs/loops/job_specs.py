"""Construction of the `JobSpec` that a training service gets, from the row of a job."""

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import TrainingJob
from vision_api.storage_layout import attempt_uri
from vision_api.training_jobs import repository
from vision_api.training_jobs.schemas import InitialCheckpoint
from vision_api.training_jobs.settings import JobSettings
from vision_contracts import CheckpointRef, DatasetRef, JobKind, JobSpec

Weights = Literal["scratch", "pretrained"] | CheckpointRef


class WeightsNotFound(Exception):
    """The checkpoint that a job should start from does not exist any more."""


async def make_spec(session: AsyncSession, job: TrainingJob) -> JobSpec:
    """Return the specification of the job's current attempt. Raises WeightsNotFound."""
    settings = JobSettings.of(job)
    dataset = settings.dataset
    return JobSpec(
        kind=JobKind(job.kind),
        work=job.work,  # pyright: ignore[reportArgumentType] - checked by the contract
        job_uid=job.job_uid,
        attempt=job.attempt,
        framework=settings.framework,
        model_name=settings.model_name,
        task_type=settings.task_type,
        dataset=DatasetRef(uri=dataset.dataset_uri, format=dataset.dataset_format, digest=dataset.dataset_digest),
        output_uri=attempt_uri(job.output_uri, job.attempt),
        resume_from_uri=job.checkpoint_uri,
        resume_state_uri=await _training_state(session, job),
        best_checkpoint_uri=await _best_checkpoint(session, job),
        initial_weights=await _initial_weights(session, job, settings.initial_weights),
        params=settings.params,
        hyperparameters=settings.hyperparameters,
        timeout_seconds=settings.timeout_seconds,
        request_id=job.request_id,
    )


async def _training_state(session: AsyncSession, job: TrainingJob) -> str | None:
    """Return the URI of the state of the checkpoint that a job resumes from; it is replaced together with that."""
    state = await repository.find_training_state(session, job.id) if job.checkpoint_uri else None
    return state.uri if state else None


async def _best_checkpoint(session: AsyncSession, job: TrainingJob) -> str | None:
    """Return the URI of the best weights so far, for a job that resumes."""
    best = await repository.find_artifact(session, job.id, "checkpoints/best") if job.checkpoint_uri else None
    return best.uri if best else None


async def _initial_weights(
    session: AsyncSession, job: TrainingJob, initial: Literal["scratch", "pretrained"] | InitialCheckpoint
) -> Weights:
    """Return the weights to start from; a job that resumes from a checkpoint of its own needs no others."""
    if not isinstance(initial, InitialCheckpoint):
        return initial
    if job.checkpoint_uri is not None:
        return "scratch"
    source = await repository.find_artifact(session, initial.job_id, initial.artifact)
    if source is None:
        raise WeightsNotFound(
            f"The checkpoint {initial.artifact} of experiment {initial.job_id} does not exist any more. "
            "Choose other initial weights."
        )
    return CheckpointRef(uri=source.uri, sha256=source.sha256)
