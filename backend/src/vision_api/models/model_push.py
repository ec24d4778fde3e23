"""A version of a registered model on its way to a hub."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Enum, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.background.leases import Claimable
from vision_api.db.base import Base, BigInt
from vision_api.kit.clock import utc_now


class PushStatus(StrEnum):
    """Status of a push."""

    PUSHING = "pushing"
    PUSHED = "pushed"
    FAILED = "failed"


class ModelPush(Claimable, Base):
    """A push by the backend that has leased the row; the hub takes all files of a version in one commit, or none."""

    __tablename__ = "model_pushes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    version_id: Mapped[int] = mapped_column(BigInt, ForeignKey("model_versions.id", ondelete="CASCADE"), index=True)
    repository: Mapped[str] = mapped_column(String(200))
    is_private: Mapped[bool]
    status: Mapped[PushStatus] = mapped_column(
        Enum(PushStatus, native_enum=False, length=16, values_callable=list), default=PushStatus.PUSHING, index=True
    )
    commit_url: Mapped[str | None]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)

    @classmethod
    def is_waiting(cls) -> ColumnElement[bool]:
        """Return the condition that a push is in progress or waits for it."""
        return cls.status == PushStatus.PUSHING
