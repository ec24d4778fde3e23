"""Metrics of a training."""

from datetime import datetime

from sqlalchemy import Float, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt


class MetricPoint(Base):
    """One value at one step. The key makes a point that comes again after a restart the same point."""

    __tablename__ = "metric_points"
    __table_args__ = ({"sqlite_with_rowid": False},)

    job_id: Mapped[int] = mapped_column(BigInt, ForeignKey("training_jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    step: Mapped[int] = mapped_column(BigInt, primary_key=True)
    epoch: Mapped[int]
    value: Mapped[float | None] = mapped_column(Float(53))
    """Null where the trainer had a number that was not finite."""
    time: Mapped[datetime]
