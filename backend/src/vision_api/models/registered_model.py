"""Registered models: names of a project's results."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt, IdColumn
from vision_api.kit.clock import utc_now


class RegisteredModel(Base):
    """A registered model. Its row is locked while a version is added or moves to another stage."""

    __tablename__ = "registered_models"
    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        Index("uq_registered_models_hub_repository", "hub_repository", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[IdColumn]
    project_id: Mapped[int] = mapped_column(BigInt, ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    latest_version: Mapped[int] = mapped_column(default=0)
    """The highest number so far: numbers of deleted versions are not reused."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    hub_repository: Mapped[str | None] = mapped_column(String(200))
    """Hub repository of its versions: no two models share one."""
