"""An archive that arrives in pieces, over as many requests as it takes."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt
from vision_api.kit.clock import utc_now


class ResumableUpload(Base):
    """Its bytes lie in storage as parts; the row says how many of them count."""

    __tablename__ = "resumable_uploads"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"), index=True)
    length: Mapped[int] = mapped_column(BigInt)
    offset: Mapped[int] = mapped_column(BigInt, default=0)
    """How many bytes are stored, from the first one on without a gap."""
    writer: Mapped[int] = mapped_column(default=0)
    """Counts the requests that brought bytes. Only the newest may move `offset`."""
    upload_metadata: Mapped[str] = mapped_column(default="")
    """The header `Upload-Metadata` as it came."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    dataset_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("datasets.id", ondelete="SET NULL"), index=True)
    """Once every byte is there: the data set that came of it."""
    version: Mapped[int | None]
