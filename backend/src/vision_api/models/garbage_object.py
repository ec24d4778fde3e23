"""Objects in storage that no row refers to any more."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base


class GarbageObject(Base):
    """An object to be deleted from storage once `due_at` has passed: an attempt may be reading it until then.

    A `uri` that ends with a slash is a folder: that of a job whose row is gone.
    """

    __tablename__ = "garbage_objects"

    uri: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(index=True)
