"""Tickets that open one path for what cannot send a header: `EventSource` and `<img>`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base
from vision_api.kit.clock import utc_now


class StreamTicket(Base):
    """Bound to a path and to the sign-in that asked for it."""

    __tablename__ = "stream_tickets"

    ticket_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("auth_sessions.id", ondelete="CASCADE"), index=True)
    path: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    first_used_at: Mapped[datetime | None]
