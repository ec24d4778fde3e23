"""One version of a data set: immutable once it is ready."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ColumnElement, Enum, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.background.leases import Claimable
from vision_api.db.base import Base, BigInt
from vision_api.kit.clock import utc_now


class DatasetStatus(StrEnum):
    """Status of a version. `invalid` is an error of the data set, `failed` one of the platform."""

    PROCESSING = "processing"
    READY = "ready"
    INVALID = "invalid"
    FAILED = "failed"


class DatasetVersion(Claimable, Base):
    """One upload or import, with the facts that processing found. Its files lie in storage under its digest."""

    __tablename__ = "dataset_versions"
    __table_args__ = (
        UniqueConstraint("dataset_id", "number"),
        Index("ix_dataset_versions_status_lease_expires_at", "status", "lease_expires_at"),
        {"sqlite_autoincrement": True},
    )

    dataset_id: Mapped[int] = mapped_column(BigInt, ForeignKey("datasets.id", ondelete="CASCADE"))
    number: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    status: Mapped[DatasetStatus] = mapped_column(
        Enum(DatasetStatus, native_enum=False, length=16, values_callable=list), default=DatasetStatus.PROCESSING
    )
    upload_uri: Mapped[str | None]
    """The archive as it came, or the folder of its parts, with a slash at the end; removed once it is processed."""
    import_uri: Mapped[str | None]
    """Source of an imported version. The files there are never changed."""
    upload_bytes: Mapped[int] = mapped_column(BigInt)
    """0 for an import."""
    split_options: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Split that was requested with the version; null if it keeps its own splits."""

    progress_stage: Mapped[str | None] = mapped_column(String(16))
    """Stage of the processing; null while it is not processed."""
    progress_percent: Mapped[int | None]

    # Facts that processing found.
    archive_uri: Mapped[str | None]
    digest: Mapped[str | None] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int | None] = mapped_column(BigInt)
    format: Mapped[str | None] = mapped_column(String(16))
    task_types: Mapped[list[str]] = mapped_column(JSON, default=list)
    class_names: Mapped[list[str]] = mapped_column(JSON, default=list)
    keypoint_names: Mapped[list[str]] = mapped_column(JSON, default=list)
    skeleton: Mapped[list[list[int]]] = mapped_column(JSON, default=list)
    """Pairs of indices of keypoints that are connected by a line."""
    splits: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """`{split: {images}}`."""
    num_images: Mapped[int | None]
    is_val_split_off: Mapped[bool | None]
    """True if it has no `val`, so that each training splits it off `train` by its seed. Null: processed before this was
    stored.
    """
    error_count: Mapped[int] = mapped_column(default=0)
    warning_count: Mapped[int] = mapped_column(default=0)
    findings: Mapped[list[Any]] = mapped_column(JSON, default=list, deferred=True)
    statistics: Mapped[dict[str, Any] | None] = mapped_column(JSON, deferred=True)

    @classmethod
    def is_waiting(cls) -> ColumnElement[bool]:
        """Return the condition that a version is being processed or waits for it."""
        return cls.status == DatasetStatus.PROCESSING

    def release(self, seconds: float | None = None) -> None:
        """Release a locked row, which shows no progress then."""
        super().release(seconds)
        self.progress_stage = self.progress_percent = None
