"""Training jobs: settings, status, attempt and progress."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Enum, Float, ForeignKey, Index, SmallInteger, String, Uuid, false, text
from sqlalchemy.orm import Mapped, mapped_column, synonym

from vision_api.background.leases import Leased
from vision_api.db.base import Base, BigInt, IdColumn
from vision_api.kit.clock import utc_now
from vision_contracts import JobKind


class JobStatus(StrEnum):
    """Status of a job. Only `training_jobs.status` changes it."""

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


def _index_of_values(column: str) -> Index:
    """Return an index of the rows that have a value. SQLite would search an index of all rows for NULL."""
    has_value = text(f"{column} IS NOT NULL")
    return Index(f"ix_training_jobs_{column}", column, sqlite_where=has_value, postgresql_where=has_value)


def _leaderboard_index(*columns: str) -> Index:
    """Return the leaderboard's index: its order, of the jobs that are ranked on it."""
    is_ranked = text("status = 'completed' AND deleted_at IS NULL")
    return Index("ix_training_jobs_leaderboard", *columns, sqlite_where=is_ranked, postgresql_where=is_ranked)


class TrainingJob(Leased, Base):
    """A job; users call it an experiment. The row is the only record of its state.

    Operations (export, evaluation, prediction, pre-flight) are rows of another `kind`, with the same queue and loops.
    """

    __tablename__ = "training_jobs"
    __table_args__ = (
        Index("ix_training_jobs_project_id_deleted_at_id", "project_id", "kind", "deleted_at", "id"),
        Index("ix_training_jobs_project_id_status", "project_id", "kind", "status", "deleted_at", "id"),
        Index("ix_training_jobs_project_id_updated_at", "project_id", "updated_at"),
        Index("ix_training_jobs_status_framework", "status", "framework", "priority", "queued_at"),
        _leaderboard_index("project_id", "task_type", "dataset_digest", "validation_split", "primary_value", "id"),
        _index_of_values("deleted_at"),
        _index_of_values("instance_id"),
        _index_of_values("parent_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[IdColumn]
    job_uid: Mapped[UUID] = mapped_column(Uuid, unique=True)
    """Identifier outside this database: in specs, service URLs and storage."""
    project_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("projects.id", ondelete="SET NULL"))
    """Null once the project is deleted: the job is invisible then, and the sweep removes it as a deleted one."""
    created_by_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(onupdate=utc_now)
    deleted_at: Mapped[datetime | None]
    """Time from which it is invisible; the loops stop it and delete its files and its row."""
    kind: Mapped[str] = mapped_column(String(16), default=JobKind.TRAIN, server_default=JobKind.TRAIN)
    """`vision_contracts.JobKind`: lists and counts of experiments show trainings alone."""
    parent_id: Mapped[int | None] = mapped_column(BigInt)
    """Training of an operation, with which it is deleted."""
    work: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Parameters of an operation, as `vision_contracts.Work`."""

    # Settings, which are decided before the start.
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
    """Split of the validation: `val`, or `val-seed-7` if the data set has none and the seed splits it off."""
    output_uri: Mapped[str]
    epochs: Mapped[int]
    batch_size: Mapped[int]
    learning_rate: Mapped[float] = mapped_column(Float(53))
    optimizer: Mapped[str] = mapped_column(String(64))
    initial_weights: Mapped[Any] = mapped_column(JSON)
    """`"scratch"`, `"pretrained"` or `{job_id, artifact}`."""
    device: Mapped[str] = mapped_column(String(16))
    num_devices: Mapped[int]
    slots: Mapped[int] = synonym("num_devices")
    """Slots that the job takes at its instance: one for each device."""
    seed: Mapped[int] = mapped_column(BigInt)
    priority: Mapped[int] = mapped_column(SmallInteger)
    timeout_seconds: Mapped[float | None] = mapped_column(Float(53))
    hyperparameters: Mapped[dict[str, Any]] = mapped_column(JSON)

    # Status. Only `training_jobs.status` writes it and its reason.
    status: Mapped[JobStatus] = mapped_column(Enum(JobStatus, native_enum=False, length=16, values_callable=list))
    status_reason: Mapped[str | None] = mapped_column(String(32))
    status_message: Mapped[str | None]
    error_message: Mapped[str | None]
    proposed_changes: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Settings with which a retry of a failed job may succeed, as its `changes`."""
    queued_at: Mapped[datetime | None]
    request_id: Mapped[str | None] = mapped_column(String(64))
    """Id of the request that queued it last; the logs of backend, service and runner carry it."""
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]

    # Lease and attempt.
    lease_owner: Mapped[UUID | None] = mapped_column(Uuid)
    """Backend that alone dispatches, collects or removes this job until its lease ends."""
    attempt: Mapped[int] = mapped_column(default=0)
    attempt_floor: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Lower bound: the next attempt has a greater number. Numbers up to it may have been used before a restore."""
    instance_id: Mapped[UUID | None] = mapped_column(Uuid)
    """Instance of the current attempt; committed before it is sent there, null as soon as it is over."""
    dispatched_at: Mapped[datetime | None]
    service_cursor: Mapped[int] = mapped_column(default=0)
    """`seq` of the last collected event of the current attempt."""
    not_before: Mapped[datetime | None]
    restarts: Mapped[int] = mapped_column(default=0)
    """Number of restarts after a loss of infrastructure since a user last started it."""
    idle_restarts: Mapped[int] = mapped_column(default=0)
    """Number of these restarts since the newest checkpoint."""

    # Progress and results.
    checkpoint_uri: Mapped[str | None]
    """The newest collected checkpoint, from which the next attempt resumes."""
    checkpoint_step: Mapped[int | None]
    is_state_trimmed: Mapped[bool] = mapped_column(default=False, server_default=false())
    """True if the state of its newest checkpoint was deleted, and the weights alone are left."""
    progress_epoch: Mapped[int] = mapped_column(default=0)
    progress_step: Mapped[int] = mapped_column(default=0)
    progress_steps: Mapped[int] = mapped_column(default=0)
    eta_seconds: Mapped[float | None] = mapped_column(Float(53))
    num_classes: Mapped[int | None]
    environment: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Environment of the newest attempt: `{device, versions: {library: version}, platform}`."""
    accuracy: Mapped[float | None] = mapped_column(Float(53))
    loss: Mapped[float | None] = mapped_column(Float(53))
    primary_value: Mapped[float | None] = mapped_column(Float(53))
    last_event_id: Mapped[int] = mapped_column(default=0)
    last_log_id: Mapped[int] = mapped_column(default=0)
