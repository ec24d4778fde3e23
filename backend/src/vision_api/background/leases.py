"""Leases of rows: one backend at a time processes a row. The database's clock counts, so that clocks may differ."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import IdColumn, database_now


class Leased:
    """Mixin of ORM models whose rows are leased: another backend takes those of a killed one after their lease."""

    lease_expires_at: Mapped[datetime | None] = mapped_column()
    """End of the present lease, if there is one."""

    @classmethod
    def is_free(cls) -> ColumnElement[bool]:
        """Return the condition that no backend holds a lease of the row."""
        return or_(cls.lease_expires_at.is_(None), cls.lease_expires_at < database_now())

    def lease(self, seconds: float) -> None:
        """Lease a locked row."""
        self.lease_expires_at = database_now(seconds)

    def release(self, seconds: float | None = None) -> None:
        """Release a locked row: at once, or so that it is free in some seconds."""
        self.lease_expires_at = database_now(seconds) if seconds is not None else None


class Claimable(Leased):
    """Mixin of ORM models whose rows a worker claims, one at a time."""

    __tablename__: ClassVar[str]
    id: Mapped[IdColumn] = mapped_column(sort_order=-1)
    tries: Mapped[int] = mapped_column(default=0)
    """Number of the claim, which distinguishes it from later ones."""

    @classmethod
    def is_waiting(cls) -> ColumnElement[bool]:
        """Return the condition of rows that are still to be processed."""
        raise NotImplementedError


@dataclass(frozen=True)
class Claim:
    """A claim on a row. It holds as long as the row has this number of tries."""

    row_id: int
    tries: int
