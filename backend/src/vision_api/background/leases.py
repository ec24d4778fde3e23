"""Leases of rows: one backend at a time processes a row. The database's clock counts, so that clocks may differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import ColumnElement, ForeignKey, or_
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import BigInt, IdColumn, database_now


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
    """Mixin of ORM models whose rows a worker claims: those of different users in turn."""

    __tablename__: ClassVar[str]
    id: Mapped[IdColumn] = mapped_column(sort_order=-1)
    tries: Mapped[int] = mapped_column(default=0)
    """Number of the claim, which distinguishes it from later ones."""
    claimed_at: Mapped[datetime | None] = mapped_column()
    """Time of the last claim: the user whose rows were claimed longest ago is next."""
    created_by_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id"), index=True)

    @classmethod
    def is_waiting(cls) -> ColumnElement[bool]:
        """Return the condition of rows that are still to be processed."""
        raise NotImplementedError


@dataclass(frozen=True)
class Turns:
    """The rule by which the next row is claimed, from what a worker is at."""

    running: Mapping[int, int] = field(default_factory=dict[int, int])
    """Number of rows that are being processed, by user."""
    most_per_user: int | None = None
    only: ColumnElement[bool] | None = None
    """Condition of the rows that may be claimed now."""

    def order(self, user_id: int, claimed_at: datetime | None, oldest_id: int) -> tuple[int, datetime, int]:
        """Return the rank of a user: fewest rows in work, then the one who was last served longest ago."""
        return self.running.get(user_id, 0), claimed_at or datetime.min.replace(tzinfo=UTC), oldest_id

    def may_have_more(self, user_id: int) -> bool:
        """Return whether one more row of a user may be processed."""
        return self.most_per_user is None or self.running.get(user_id, 0) < self.most_per_user


@dataclass(frozen=True)
class Claim:
    """A claim on a row. It holds as long as the row has this number of tries."""

    row_id: int
    tries: int

    @property
    def key(self) -> tuple[int, int]:
        """Return the row and its try: no other claim has both."""
        return self.row_id, self.tries
