"""Serialization of rows for clients."""

from typing import Literal

from vision_api.models import Artifact, JobStatus, LogLine, TrainingJob
from vision_api.training_jobs.schemas import ArtifactRead, JobProgress, LogLineRead, PrimaryMetric, TrainingJobRead
from vision_api.training_jobs.status import ENDED
from vision_contracts import LogLevel, metric_names

_DERIVED = ("queue_position", "progress", "primary_metric", "pretrained", "output_dir", "training_state")
_PLAIN = tuple(name for name in TrainingJobRead.model_fields if name not in _DERIVED)


def read_job(job: TrainingJob, queue_position: int | None) -> TrainingJobRead:
    """Return a job with its position in the queue, or None for a job that is not queued."""
    return TrainingJobRead.model_validate(
        {name: getattr(job, name) for name in _PLAIN}
        | {
            "queue_position": queue_position,
            "progress": read_progress(job),
            "primary_metric": read_primary_metric(job),
            "pretrained": job.initial_weights == "pretrained",
            "output_dir": job.output_uri,
            "training_state": _training_state(job),
        }
    )


def _training_state(job: TrainingJob) -> Literal["kept", "trimmed"] | None:
    if job.status not in ENDED:
        return None
    return "trimmed" if job.is_state_trimmed else "kept"


def read_primary_metric(job: TrainingJob) -> PrimaryMetric:
    """Return the metric by which a job is compared with others of its task."""
    return PrimaryMetric(name=metric_names.PRIMARY[job.task_type], value=job.primary_value)


def read_progress(job: TrainingJob) -> JobProgress:
    """Return the progress of a job."""
    is_done = job.status == JobStatus.COMPLETED
    share = 1.0 if is_done else job.progress_step / job.progress_steps if job.progress_steps else 0.0
    return JobProgress(
        epoch=job.progress_epoch,
        epochs=job.epochs,
        step=job.progress_step,
        steps=job.progress_steps,
        percent=round(100 * min(share, 1.0), 2),
        eta_seconds=None if is_done else job.eta_seconds,
    )


def read_log_line(line: LogLine) -> LogLineRead:
    """Return a log line with its id."""
    level = LogLevel(line.level)
    return LogLineRead(id=line.line_id, time=line.time, level=level, message=line.message, attempt=line.attempt)


def read_artifact(artifact: Artifact) -> ArtifactRead:
    """Return an artifact without its place in storage."""
    return ArtifactRead.model_validate(artifact)
