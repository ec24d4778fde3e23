"""Events of a job, as its stream sends them to clients."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt


class JobEvent(Base):
    """One server-sent event. Ids are consecutive for each job, given while the job's row is locked."""

    __tablename__ = "job_events"
    __table_args__ = ({"sqlite_with_rowid": False},)

    job_id: Mapped[int] = mapped_column(BigInt, ForeignKey("training_jobs.id", ondelete="CASCADE"), primary_key=True)
    event_id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int]
    time: Mapped[datetime]
    data: Mapped[dict[str, Any]]
