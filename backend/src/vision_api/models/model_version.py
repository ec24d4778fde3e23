"""Versions of registered models: weights of their own, with their lineage."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Enum, ForeignKey, Index, String, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt, IdColumn
from vision_api.kit.clock import utc_now


class ModelStage(StrEnum):
    """Stage of a version, as users decide."""

    NONE = "none"
    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"


_IS_IN_PRODUCTION = text("stage = 'production'")


class ModelVersion(Base):
    """A version, of which only `stage` and `notes` ever change. Its weights are a copy and outlive their job."""

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("model_id", "number"),
        Index(
            "uq_model_versions_production",
            "model_id",
            unique=True,
            sqlite_where=_IS_IN_PRODUCTION,
            postgresql_where=_IS_IN_PRODUCTION,
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[IdColumn]
    uid: Mapped[UUID] = mapped_column(Uuid, unique=True)
    """Name of its folder in storage."""
    model_id: Mapped[int] = mapped_column(BigInt, ForeignKey("registered_models.id", ondelete="CASCADE"))
    number: Mapped[int]
    stage: Mapped[ModelStage] = mapped_column(Enum(ModelStage, native_enum=False, length=16, values_callable=list))
    notes: Mapped[str]
    created_by_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)

    job_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("training_jobs.id", ondelete="SET NULL"), index=True)
    """Null once the job is deleted; `lineage` keeps its settings and results."""
    artifact: Mapped[str] = mapped_column(String(255))
    uri: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInt)
    sha256: Mapped[str] = mapped_column(String(64))
    content_type: Mapped[str] = mapped_column(String(128))
    lineage: Mapped[dict[str, Any]]
    """`model_registry.lineage.Lineage` as it was at the registration."""
