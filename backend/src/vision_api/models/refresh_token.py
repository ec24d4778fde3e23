"""Tokens that can be exchanged for a new access token, once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base
from vision_api.kit.clock import utc_now


class RefreshToken(Base):
    """`token_hash` is SHA-256: a reader of the database cannot sign in with it."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("auth_sessions.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]
