"""Accounts of users."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, IdColumn
from vision_api.kit.clock import utc_now


class UserRole(StrEnum):
    """Role of an account. An administrator sees and may do everything."""

    USER = "user"
    ADMIN = "admin"


class User(Base):
    """An account. `email` is stored in lower case: one person, one account, however it is typed."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("role IN ('user', 'admin')", name="role"), {"sqlite_autoincrement": True})

    id: Mapped[IdColumn]
    email: Mapped[str] = mapped_column(String(320), unique=True)
    full_name: Mapped[str | None] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(10), default=UserRole.USER)
    password_hash: Mapped[str] = mapped_column(String(60))
    must_change_password: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    @property
    def is_admin(self) -> bool:
        """True if this user sees and may do everything."""
        return self.role == UserRole.ADMIN
