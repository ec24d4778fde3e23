"""Report of the objects in storage, compared with those that the database names: pure except for the listing."""

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
from vision_api.usage.known_objects import KnownObjects
from vision_api.usage.sizes import Sizes, measure
from vision_contracts import Time


class Totals(BaseModel):
    """Sums over objects."""

    files: int = 0
    total_bytes: int = 0
    checkpoints_bytes: int = 0
    superseded_bytes: int = 0
    unlisted_bytes: int = 0

    def include(self, sizes: Sizes) -> None:
        """Add the sizes of objects."""
        for name in Totals.model_fields:
            setattr(self, name, getattr(self, name) + getattr(sizes, name))


class JobTotals(Totals):
    """One experiment. `missing_files` have a row and no object."""

    job_id: int
    job_uid: UUID
    name: str
    status: str
    missing_files: int = 0


class ProjectTotals(Totals):
    """One project with its data sets and registered models; without an id, the data sets of users themselves."""

    project_id: int | None
    name: str
    datasets_bytes: int = 0
    models_bytes: int = 0
    """Copies of weights of registered models."""
    jobs: list[JobTotals] = []


class Orphan(BaseModel):
    """A folder that no row of the database names."""

    prefix: str
    kind: Literal["job", "dataset", "model", "other"]
    files: int
    total_bytes: int
    newest_at: Time


class Report(BaseModel):
    """The whole storage by owner, in bytes."""

    storage_url: str
    total_bytes: int
    projects: list[ProjectTotals]
    deleted_bytes: int
    """Deleted objects that wait for the sweep."""
    uploads_bytes: int
    unfinished_bytes: int
    """Objects whose writer is still at work, or was killed."""
    orphans: list[Orphan]
    database_bytes: int
    """Size of the database itself, which is not part of `total_bytes`."""


@dataclass(frozen=True)
class StorageListing:
    """All objects, grouped by the folder that belongs to one owner alone."""

    started_at: datetime
    folders: dict[str, list[ObjectInfo]] = field(default_factory=dict[str, list[ObjectInfo]])
    unfinished_bytes: int = 0

    @property
    def objects(self) -> Iterable[ObjectInfo]:
        return (found for folder in self.folders.values() for found in folder)


def list_storage(store: ObjectStore) -> StorageListing:
    """List all objects. Blocks for as long as the storage takes: one request for a thousand objects."""
    started_at, folders = utc_now(), dict[str, list[ObjectInfo]]()
    for found in store.list():
        parts = store.key(found.uri).split("/")
        depth = 2 if parts[0] in (JOBS, CONTENTS, MODELS) and len(parts) > 2 else 1
        folders.setdefault("/".join(parts[:depth]), []).append(found)
    return StorageListing(started_at, folders, sum(found.size_bytes for found in store.list_unfinished()))


def compare(store: ObjectStore, listing: StorageListing, known: KnownObjects) -> Report:
    """Compare storage and database. Load `known` after the listing: objects stored meanwhile are no orphans."""
    comparison = _Comparison(store, listing, known)
    for folder, objects in listing.folders.items():
        comparison.add_folder(folder, measure(objects, known.kinds, known.garbage))
    return comparison.report()


class _Comparison:
    def __init__(self, store: ObjectStore, listing: StorageListing, known: KnownObjects) -> None:
        self._store = store
        self._listing = listing
        self._known = known
        self._projects = {key: ProjectTotals(project_id=key, name=name) for key, name in known.projects.items()}
        self._user_owned = ProjectTotals(project_id=None, name="(users' own data sets)")
        self._orphans: list[Orphan] = []
        self._missing = _count_missing(store, listing, known)
        self._deleted_bytes = self._uploads_bytes = 0

    def add_folder(self, folder: str, sizes: Sizes) -> None:
        """Add a folder to the totals of its owner."""
        kind, _, name = folder.partition("/")
        if kind == JOBS and name in self._known.jobs:
            self._add_job(name, sizes)
        elif kind == CONTENTS and name in self._known.digests:
            project = self._projects.get(self._known.digests[name] or 0, self._user_owned)
            project.datasets_bytes += sizes.total_bytes
            project.total_bytes += sizes.total_bytes
            project.files += sizes.files
        elif kind == MODELS and name in self._known.models:
            project = self._projects[self._known.models[name]]
            project.models_bytes += sizes.total_bytes
            project.total_bytes += sizes.total_bytes
            project.files += sizes.files
        elif kind == UPLOADS:
            self._uploads_bytes += sizes.total_bytes
        elif f"{self._store.uri(folder)}/" in self._known.garbage or sizes.superseded_bytes == sizes.total_bytes > 0:
            self._deleted_bytes += sizes.total_bytes
        else:
            self._add_orphan(folder, kind if name else "", sizes)

    def _add_job(self, uid: str, sizes: Sizes) -> None:
        job = self._known.jobs[uid]
        if job.project_id is None:
            self._deleted_bytes += sizes.total_bytes
            return
        totals = JobTotals(
            job_id=job.job_id,
            job_uid=UUID(uid),
            name=job.name,
            status=job.status,
            missing_files=self._missing[job.job_id],
        )
        totals.include(sizes)
        project = self._projects[job.project_id]
        project.include(sizes)
        project.jobs.append(totals)

    def _add_orphan(self, folder: str, kind: str, sizes: Sizes) -> None:
        kinds: dict[str, Literal["job", "dataset", "model"]] = {JOBS: "job", CONTENTS: "dataset", MODELS: "model"}
        orphan = Orphan(
            prefix=folder,
            kind=kinds.get(kind, "other"),
            files=sizes.files,
            total_bytes=sizes.total_bytes,
            newest_at=sizes.newest_at or self._listing.started_at,
        )
        self._orphans.append(orphan)

    def report(self) -> Report:
        """Return the report, the largest entries first."""
        projects = [*self._projects.values(), self._user_owned]
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
            database_bytes=self._known.database_bytes,
        )


def _size(entry: Totals | Orphan) -> int:
    return entry.total_bytes


def _count_missing(store: ObjectStore, listing: StorageListing, known: KnownObjects) -> Counter[int]:
    """Count for each job the artifacts of this storage that are older than the listing and missing in it."""
    listed = {found.uri for found in listing.objects}
    return Counter(
        job_id
        for job_id, uri, created_at in known.artifacts
        if created_at < listing.started_at and uri not in listed and store.contains(uri)
    )
