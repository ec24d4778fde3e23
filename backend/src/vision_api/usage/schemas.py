"""Responses of usage."""

from pydantic import Field

from vision_api.kit.schemas import ReadModel


class JobSize(ReadModel):
    """Size of one experiment's artifacts."""

    job_id: int
    name: str
    status: str
    total_bytes: int
    checkpoints_bytes: int
    training_state_bytes: int = Field(description="Needed to resume or extend alone: trimming frees it.")
    files: int


class ProjectUsage(ReadModel):
    """Size of a project's files. An object that has two names counts once."""

    project_id: int
    total_bytes: int
    artifacts_bytes: int = Field(description="Artifacts of its experiments.")
    checkpoints_bytes: int = Field(description="Part of `artifacts_bytes`.")
    training_state_bytes: int = Field(description="Part of `artifacts_bytes` that trimming frees.")
    datasets_bytes: int = Field(description="Data sets; equal content counts once.")
    models_bytes: int = Field(description="Copies of weights of its registered models.")
    deleted_bytes: int = Field(description="Files of deleted experiments, until they are freed.")
    job_count: int
    jobs: list[JobSize] = Field(description="The largest first.")


class RowCounts(ReadModel):
    """Number of an experiment's rows in the database."""

    events: int
    log_lines: int
    metric_points: int


class JobUsage(JobSize):
    """Size of an experiment's objects as the storage lists them, and its rows in the database."""

    kinds: dict[str, int] = Field(description="Bytes by kind of artifact: `checkpoint` (weights), `training_state`, …")
    superseded_bytes: int = Field(description="Replaced by newer files; deleted within minutes.")
    unlisted_bytes: int = Field(
        description="Stored and not listed as artifacts: very new, or of a lost attempt. Deleted with the experiment."
    )
    database_rows: RowCounts
