"""Objects in storage that rows of the database name."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KnownJob:
    """A row; `project_id` is None for one that was deleted and waits for the sweep."""

    job_id: int
    name: str
    status: str
    project_id: int | None


@dataclass
class KnownObjects:
    """All names of objects in one snapshot of the database."""

    projects: dict[int, str] = field(default_factory=dict[int, str])
    jobs: dict[str, KnownJob] = field(default_factory=dict[str, KnownJob])
    """Jobs by `job_uid`, deleted ones too."""
    kinds: dict[str, str] = field(default_factory=dict[str, str])
    """Kinds of artifacts by URI."""
    artifacts: list[tuple[int, str, datetime]] = field(default_factory=list[tuple[int, str, datetime]])
    """`job_id`, URI and time of each artifact."""
    garbage: set[str] = field(default_factory=set[str])
    digests: dict[str, int | None] = field(default_factory=dict[str, int | None])
    """Project of the first data set with this content; None for one of a user's own."""
    models: dict[str, int] = field(default_factory=dict[str, int])
    """Project of each version of a registered model, by its `uid`."""
    database_bytes: int = 0
    last_activity_at: datetime | None = None
    """Time of the last write by people or trainings."""
