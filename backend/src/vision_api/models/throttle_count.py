"""Counts of what clients may do only so often, shared by all backends of a database."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base


class ThrottleCount(Base):
    """Number of attempts of one kind by one client, in a window that begins with the first of them."""

    __tablename__ = "throttle_counts"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of kind and client: the table names no e-mail and no address."""
    count: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """End of the window: then the row counts as 0, and is deleted some time later."""
