"""Log of a training."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt


class LogLine(Base):
    """One line. Ids are consecutive for each job, over all of its attempts."""

    __tablename__ = "log_lines"
    __table_args__ = ({"sqlite_with_rowid": False},)

    job_id: Mapped[int] = mapped_column(BigInt, ForeignKey("training_jobs.id", ondelete="CASCADE"), primary_key=True)
    line_id: Mapped[int] = mapped_column(primary_key=True)
    attempt: Mapped[int]
    time: Mapped[datetime]
    level: Mapped[str] = mapped_column(String(8))
    message: Mapped[str]
