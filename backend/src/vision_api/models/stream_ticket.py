"""Tickets that open one path to clients that cannot send a header: `EventSource` and `<img>`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base
from vision_api.kit.clock import utc_now


class StreamTicket(Base):
    """A ticket, bound to a path and to the login session that requested it."""

    __tablename__ = "stream_tickets"

    ticket_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("auth_sessions.id", ondelete="CASCADE"), index=True)
    path: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    first_used_at: Mapped[datetime | None]
