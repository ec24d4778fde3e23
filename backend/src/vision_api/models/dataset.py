"""A data set: a name for the versions of some labelled images."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt, IdColumn
from vision_api.kit.clock import utc_now


class Dataset(Base):
    """A data set. It belongs to its project's members; without a project, to its owner alone."""

    __tablename__ = "datasets"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - as SQLAlchemy wants it

    id: Mapped[IdColumn]
    name: Mapped[str] = mapped_column(String(200))
    owner_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"), index=True)
    project_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("projects.id", ondelete="SET NULL"), index=True)
    latest_version: Mapped[int] = mapped_column(default=1)
    """Number of the newest version, also if that is invalid or failed."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
