"""Projects: experiments and the users who may see them."""

from datetime import datetime

from sqlalchemy import String, text
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, IdColumn
from vision_api.kit.clock import utc_now


class Project(Base):
    """A project. Its members, and administrators, may see it."""

    __tablename__ = "projects"
    __table_args__ = ({"sqlite_autoincrement": True},)  # ids are never reused, as on PostgreSQL

    id: Mapped[IdColumn]
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None]
    task_type: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    experiment_count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Stored, so that lists need not count: written only in transactions that create or delete a training job."""
