"""The last known catalogue of a framework."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from vision_api.db.base import Base


class CatalogSnapshot(Base):
    """Catalogue that a training service has reported. It is used while no instance of the framework answers."""

    __tablename__ = "catalog_snapshots"

    framework: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    """The name under which the framework is configured; usually the same."""
    framework_version: Mapped[str]
    etag: Mapped[str]
    body: Mapped[str]
    """A `ModelList` as JSON. Text, since it is read and written whole."""
    fetched_at: Mapped[datetime]
