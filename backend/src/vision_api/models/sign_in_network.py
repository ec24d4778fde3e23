"""Networks from which users have signed in."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base, BigInt


class SignInNetwork(Base):
    """The last sign-in of a user from one network. Such networks are heard while strangers guess the password."""

    __tablename__ = "sign_in_networks"

    user_id: Mapped[int] = mapped_column(BigInt, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    network: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Written as by `network_of`: `192.0.2.0/24`."""
    signed_in_at: Mapped[datetime]
