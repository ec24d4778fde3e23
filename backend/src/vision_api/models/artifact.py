"""Files that a training produced."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt


class Artifact(Base):
    """A file under its logical name. A newer file of that name replaces it; the older object becomes garbage."""

    __tablename__ = "artifacts"

    job_id: Mapped[int] = mapped_column(BigInt, ForeignKey("training_jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    uri: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInt)
    sha256: Mapped[str] = mapped_column(String(64))
    content_type: Mapped[str] = mapped_column(String(128))
    attempt: Mapped[int]
    step: Mapped[int | None] = mapped_column(BigInt)
    created_at: Mapped[datetime]
