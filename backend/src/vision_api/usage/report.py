"""What lies in storage, compared with what the database has a name for: pure but for the listing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from data_kit import ObjectInfo, ObjectStore
from vision_api.kit.clock import utc_now
from vision_api.storage_layout import CONTENTS, JOBS, MODELS, UPLOADS
from vision_api.usage.names import KnownObjects
from vision_api.usage.sizes import Sizes, measure
from vision_contracts import Time


class Line(BaseModel):
    """Sums of bytes."""

    files: int = 0
    total_bytes: int = 0
    checkpoints_bytes: int = 0
    superseded_bytes: int = 0
    unlisted_bytes: int = 0

    def include(self, sizes: Sizes) -> None:
        """Add what was measured."""
        for name in Line.model_fields:
            setattr(self, name, getattr(self, name) + getattr(sizes, name))


class JobLine(Line):
    """One experiment. `missing_files` have a row and no object."""

    job_id: int
    job_uid: UUID
    name: str
    status: str
    missing_files: int = 0


class ProjectLine(Line):
    """One project with its data sets and registered models; without an id, what belongs to users themselves."""

    project_id: int | None
    name: str
    datasets_bytes: int = 0
    models_bytes: int = 0
    """Of registered models: copies of their own."""
    jobs: list[JobLine] = []


class Orphan(BaseModel):
    """A folder that nothing in the database names."""

    prefix: str
    kind: Literal["job", "dataset", "model", "other"]
    files: int
    total_bytes: int
    newest_at: Time


class Report(BaseModel):
    """Everything."""

    storage_url: str
    total_bytes: int
    projects: list[ProjectLine]
    deleted_bytes: int
    """Of what was deleted and waits for the sweep."""
    uploads_bytes: int
    unfinished_bytes: int
    """Begun by a writer that was killed, or that is at it."""
    orphans: list[Orphan]
    database_bytes: int
    """Not part of `total_bytes`."""


@dataclass(frozen=True)
class Listing:
    """All objects, grouped by the folder that belongs to one owner alone."""

    begun_at: datetime
    folders: dict[str, list[ObjectInfo]] = field(default_factory=dict[str, list[ObjectInfo]])
    unfinished_bytes: int = 0

    @property
    def objects(self) -> Iterable[ObjectInfo]:
        return (found for folder in self.folders.values() for found in folder)


def list_storage(store: ObjectStore) -> Listing:
    """Blocks for as long as the storage takes: a thousand objects a request."""
    begun_at, folders = utc_now(), dict[str, list[ObjectInfo]]()
    for found in store.list():
        parts = store.key(found.uri).split("/")
        depth = 2 if parts[0] in (JOBS, CONTENTS, MODELS) and len(parts) > 2 else 1
        folders.setdefault("/".join(parts[:depth]), []).append(found)
    return Listing(begun_at, folders, sum(found.size_bytes for found in store.list_unfinished()))


def compare(store: ObjectStore, listing: Listing, names: KnownObjects) -> Report:
    """`names` must have been loaded after the listing: what was stored meanwhile is then no orphan."""
    comparison = _Comparison(store, listing, names)
    for folder, objects in listing.folders.items():
        comparison.take(folder, measure(objects, names.kinds, names.garbage))
    return comparison.report()


class _Comparison:
    def __init__(self, store: ObjectStore, listing: Listing, names: KnownObjects) -> None:
        self._store = store
        self._listing = listing
        self._names = names
        self._projects = {key: ProjectLine(project_id=key, name=name) for key, name in names.projects.items()}
        self._owners = ProjectLine(project_id=None, name="(users' own data sets)")
        self._orphans: list[Orphan] = []
        self._missing = _count_missing(store, listing, names)
        self._deleted_bytes = self._uploads_bytes = 0

    def take(self, folder: str, sizes: Sizes) -> None:
        """Find out whose folder it is."""
        kind, _, name = folder.partition("/")
        if kind == JOBS and name in self._names.jobs:
            self._take_job(name, sizes)
        elif kind == CONTENTS and name in self._names.digests:
            project = self._projects.get(self._names.digests[name] or 0, self._owners)
            project.datasets_bytes += sizes.total_bytes
            project.total_bytes += sizes.total_bytes
            project.files += sizes.files
        elif kind == MODELS and name in self._names.models:
            project = self._projects[self._names.models[name]]
            project.models_bytes += sizes.total_bytes
            project.total_bytes += sizes.total_bytes
            project.files += sizes.files
        elif kind == UPLOADS:
            self._uploads_bytes += sizes.total_bytes
        elif f"{self._store.uri(folder)}/" in self._names.garbage or sizes.superseded_bytes == sizes.total_bytes > 0:
            self._deleted_bytes += sizes.total_bytes
        else:
            self._take_orphan(folder, kind if name else "", sizes)

    def _take_job(self, uid: str, sizes: Sizes) -> None:
        job = self._names.jobs[uid]
        if job.project_id is None:
            self._deleted_bytes += sizes.total_bytes
            return
        line = JobLine(
            job_id=job.job_id,
            job_uid=UUID(uid),
            name=job.name,
            status=job.status,
            missing_files=self._missing[job.job_id],
        )
        line.include(sizes)
        project = self._projects[job.project_id]
        project.include(sizes)
        project.jobs.append(line)

    def _take_orphan(self, folder: str, kind: str, sizes: Sizes) -> None:
        kinds: dict[str, Literal["job", "dataset", "model"]] = {JOBS: "job", CONTENTS: "dataset", MODELS: "model"}
        orphan = Orphan(
            prefix=folder,
            kind=kinds.get(kind, "other"),
            files=sizes.files,
            total_bytes=sizes.total_bytes,
            newest_at=sizes.newest_at or self._listing.begun_at,
        )
        self._orphans.append(orphan)

    def report(self) -> Report:
        """The biggest first."""
        projects = [*self._projects.values(), self._owners]
        for project in projects:
            project.jobs.sort(key=_size, reverse=True)
        return Report(
            storage_url=self._store.url,
            total_bytes=sum(found.size_bytes for found in self._listing.objects) + self._listing.unfinished_bytes,
            projects=sorted(projects, key=_size, reverse=True),
            deleted_bytes=self._deleted_bytes,
            uploads_bytes=self._uploads_bytes,
            unfinished_bytes=self._listing.unfinished_bytes,
            orphans=sorted(self._orphans, key=_size, reverse=True),
            database_bytes=self._names.database_bytes,
        )


def _size(line: Line | Orphan) -> int:
    return line.total_bytes


def _count_missing(store: ObjectStore, listing: Listing, names: KnownObjects) -> Counter[int]:
    """For each job, artifacts of this storage that were stored before the listing began and are not in it."""
    there = {found.uri for found in listing.objects}
    return Counter(
        job_id
        for job_id, uri, created_at in names.artifacts
        if created_at < listing.begun_at and uri not in there and store.contains(uri)
    )
