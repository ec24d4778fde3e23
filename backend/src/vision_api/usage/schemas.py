"""What the routes of usage give."""

from pydantic import Field

from vision_api.kit.schemas import ReadModel


class JobSize(ReadModel):
    """What one experiment has left."""

    job_id: int
    name: str
    status: str
    total_bytes: int
    checkpoints_bytes: int
    files: int


class ProjectUsage(ReadModel):
    """What the files of a project take. An object that has two names counts once."""

    project_id: int
    total_bytes: int
    artifacts_bytes: int = Field(description="Of its experiments.")
    checkpoints_bytes: int = Field(description="Part of `artifacts_bytes`.")
    datasets_bytes: int = Field(description="Of its data sets; the same content counts once.")
    models_bytes: int = Field(description="Of its registered models: copies of their own.")
    deleted_bytes: int = Field(description="Of experiments that were deleted a moment ago, until they are freed.")
    job_count: int
    jobs: list[JobSize] = Field(description="The biggest first.")


class RowCounts(ReadModel):
    """What an experiment has in the database."""

    events: int
    log_lines: int
    metric_points: int


class JobUsage(JobSize):
    """What really lies in storage for one experiment, and in the database."""

    superseded_bytes: int = Field(description="Replaced by newer files; deleted within minutes.")
    unlisted_bytes: int = Field(
        description="Stored and not in the list of artifacts: a moment ago, or by an attempt that was lost. They go "
        "with the experiment."
    )
    database_rows: RowCounts
