"""Uploads of an archive over several requests (tus)."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt
from vision_api.kit.clock import utc_now


class ResumableUpload(Base):
    """An upload whose bytes lie in storage as parts; the row has the number of valid bytes."""

    __tablename__ = "resumable_uploads"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"), index=True)
    length: Mapped[int] = mapped_column(BigInt)
    offset: Mapped[int] = mapped_column(BigInt, default=0)
    """Number of bytes that are stored, from the first one without a gap."""
    parts: Mapped[int] = mapped_column(default=0, server_default="0")
    """Number of objects in storage that these bytes are in."""
    writer: Mapped[int] = mapped_column(default=0)
    """Number of the newest request that sends bytes. Only that one may change `offset`."""
    upload_metadata: Mapped[str] = mapped_column(default="")
    """The header `Upload-Metadata`, unchanged."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    dataset_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("datasets.id", ondelete="SET NULL"), index=True)
    """The data set that was created once the upload was complete."""
    version: Mapped[int | None]
