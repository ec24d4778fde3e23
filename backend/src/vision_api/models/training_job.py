"""A training job: what to train, where it runs, and how far it is."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Enum, Float, ForeignKey, Index, SmallInteger, String, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt, IdColumn
from vision_api.kit.clock import utc_now
from vision_contracts import JobKind


class JobStatus(StrEnum):
    """Where a job is. Only `training_jobs.status` moves it."""

    PENDING = "pending"
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    PAUSING = "pausing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


def _index_of_the_few(column: str) -> Index:
    """An index of the rows that have a value. One of all rows would tempt SQLite to look for NULL in it."""
    has_value = text(f"{column} IS NOT NULL")
    return Index(f"ix_training_jobs_{column}", column, sqlite_where=has_value, postgresql_where=has_value)


def _index_of_the_completed(*columns: str) -> Index:
    """The leaderboard's: its order, of the jobs that have a place on it."""
    is_ranked = text("status = 'completed' AND deleted_at IS NULL")
    return Index("ix_training_jobs_leaderboard", *columns, sqlite_where=is_ranked, postgresql_where=is_ranked)


class TrainingJob(Base):
    """The row is the truth about a job; users call it an experiment.

    Other kinds of work are rows too, so that they are queued, sent, followed and freed as trainings are.
    """

    __tablename__ = "training_jobs"
    __table_args__ = (
        Index("ix_training_jobs_project_id_deleted_at_id", "project_id", "kind", "deleted_at", "id"),
        Index("ix_training_jobs_project_id_status", "project_id", "kind", "status", "deleted_at", "id"),
        Index("ix_training_jobs_project_id_updated_at", "project_id", "updated_at"),
        Index("ix_training_jobs_status_framework", "status", "framework", "priority", "queued_at"),
        _index_of_the_completed("project_id", "task_type", "dataset_digest", "validation_split", "primary_value", "id"),
        _index_of_the_few("deleted_at"),
        _index_of_the_few("instance_id"),
        _index_of_the_few("parent_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[IdColumn]
    job_uid: Mapped[UUID] = mapped_column(Uuid, unique=True)
    """Its name outside this database: in specs, service URLs and storage."""
    project_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("projects.id", ondelete="SET NULL"))
    """Null once the project is gone: then nobody sees the job, and the sweep removes it as a deleted one."""
    created_by_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(onupdate=utc_now)
    deleted_at: Mapped[datetime | None]
    """Invisible from then on; the sweep stops it, frees everything and removes the row."""
    kind: Mapped[str] = mapped_column(String(16), default=JobKind.TRAIN, server_default=JobKind.TRAIN)
    """`vision_contracts.JobKind`: lists and counts of experiments show trainings alone."""
    parent_id: Mapped[int | None] = mapped_column(BigInt)
    """Of a work: the training that it is about, with which it is deleted."""
    work: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Of a work: what to do, as `vision_contracts.Work`."""

    # What to train: decided before the start.
    name: Mapped[str] = mapped_column(String(200))
    notes: Mapped[str]
    framework: Mapped[str] = mapped_column(String(64))
    model_name: Mapped[str] = mapped_column(String(255))
    task_type: Mapped[str] = mapped_column(String(64))
    dataset_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("datasets.id", ondelete="SET NULL"), index=True)
    dataset_version: Mapped[int | None]
    dataset_path: Mapped[str | None]
    dataset_uri: Mapped[str]
    dataset_format: Mapped[str] = mapped_column(String(16))
    dataset_digest: Mapped[str | None] = mapped_column(String(64))
    validation_split: Mapped[str] = mapped_column(String(32), default="val", server_default=text("'val'"))
    """What it is measured on: `val`, or `val-seed-7` where the seed splits it off, since the data set brings none."""
    output_uri: Mapped[str]
    epochs: Mapped[int]
    batch_size: Mapped[int]
    learning_rate: Mapped[float] = mapped_column(Float(53))
    optimizer: Mapped[str] = mapped_column(String(64))
    initial_weights: Mapped[Any] = mapped_column(JSON)
    """`"scratch"`, `"pretrained"` or `{job_id, artifact}`."""
    device: Mapped[str] = mapped_column(String(16))
    num_devices: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInt)
    priority: Mapped[int] = mapped_column(SmallInteger)
    timeout_seconds: Mapped[float | None] = mapped_column(Float(53))
    hyperparameters: Mapped[dict[str, Any]] = mapped_column(JSON)

    # Where it is. Only `training_jobs.status` writes these.
    status: Mapped[JobStatus] = mapped_column(Enum(JobStatus, native_enum=False, length=16, values_callable=list))
    status_reason: Mapped[str | None] = mapped_column(String(32))
    status_message: Mapped[str | None]
    error_message: Mapped[str | None]
    proposed_changes: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Of a failed job: settings with which a retry may go well, as its `changes`."""
    queued_at: Mapped[datetime | None]
    request_id: Mapped[str | None] = mapped_column(String(64))
    """Of the request that queued it last: the logs of backend, service and runner carry it."""
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]

    # Who works on it.
    lease_owner: Mapped[UUID | None] = mapped_column(Uuid)
    lease_expires_at: Mapped[datetime | None]
    """By the database's clock. While it lasts, nobody but the owner dispatches, collects or cleans up this job."""
    attempt: Mapped[int] = mapped_column(default=0)
    attempt_floor: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The next attempt has a greater number: those up to it may have been made by a database that was lost since."""
    instance_id: Mapped[UUID | None] = mapped_column(Uuid)
    """Where the current attempt is, or is being sent; committed before it is sent, null as soon as it is over."""
    dispatched_at: Mapped[datetime | None]
    service_cursor: Mapped[int] = mapped_column(default=0)
    """`seq` of the last collected event of the current attempt."""
    not_before: Mapped[datetime | None]
    restarts: Mapped[int] = mapped_column(default=0)
    """Restarts after a loss of infrastructure since a user last started it."""
    idle_restarts: Mapped[int] = mapped_column(default=0)
    """Those of them since the newest checkpoint."""

    # How far it is.
    checkpoint_uri: Mapped[str | None]
    """The newest collected checkpoint, from which the next attempt goes on."""
    checkpoint_step: Mapped[int | None]
    progress_epoch: Mapped[int] = mapped_column(default=0)
    progress_step: Mapped[int] = mapped_column(default=0)
    progress_steps: Mapped[int] = mapped_column(default=0)
    eta_seconds: Mapped[float | None] = mapped_column(Float(53))
    num_classes: Mapped[int | None]
    environment: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What the newest attempt trains with: `{device, versions: {library: version}, platform}`."""
    accuracy: Mapped[float | None] = mapped_column(Float(53))
    loss: Mapped[float | None] = mapped_column(Float(53))
    primary_value: Mapped[float | None] = mapped_column(Float(53))
    last_event_id: Mapped[int] = mapped_column(default=0)
    last_log_id: Mapped[int] = mapped_column(default=0)
