"""Jobs with files, and data sets, as trainings and uploads would have left them."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from data_kit import ObjectStore
from support.job_rows import job_fields
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import (
    Artifact,
    Dataset,
    DatasetStatus,
    DatasetVersion,
    GarbageObject,
    JobStatus,
    ModelVersion,
    Project,
    RegisteredModel,
    TrainingJob,
    User,
)
from vision_api.storage_layout import job_uri

StoreJob = Callable[..., Awaitable[TrainingJob]]


async def store_job(
    database: Database, store: ObjectStore, project: Project, owner: User, **fields: object
) -> TrainingJob:
    """Best and last checkpoint (100 bytes each), a report (10), one superseded (50), and one without a row (7)."""
    uid, now = uuid4(), utc_now()
    defaults = {"project_id": project.id, "created_by_id": owner.id, "status": JobStatus.COMPLETED}
    job = TrainingJob(**job_fields(**(defaults | {"job_uid": uid, "output_uri": job_uri(store.url, uid)} | fields)))
    sizes = {"best.pt": 100, "last.pt": 100, "report.json": 10, "old.pt": 50, "unlisted.pt": 7}
    uris = {name: store.put_bytes(b"x" * size, f"jobs/{uid}/attempts/1/{name}").uri for name, size in sizes.items()}
    names = {"checkpoints/best.pt": "best.pt", "checkpoints/last.pt": "last.pt", "report.json": "report.json"}
    names |= {"checkpoints/last-again.pt": "last.pt"}
    async with database.transaction() as session:
        session.add(job)
        await session.flush()
        for name, file in names.items():
            kind = "checkpoint" if name.startswith("checkpoints") else "report"
            session.add(
                Artifact(
                    job_id=job.id, name=name, kind=kind, uri=uris[file], size_bytes=sizes[file], sha256="0" * 64,
                    content_type="x", attempt=1, created_at=now,
                )
            )  # fmt: skip
        session.add(GarbageObject(uri=uris["old.pt"], due_at=now))
    return job


async def store_dataset(
    database: Database, store: ObjectStore, owner: User, digest: str, project: Project | None
) -> Dataset:
    """A data set of one version with 1000 bytes in storage."""
    uri = store.put_bytes(b"x" * 1000, f"datasets/{digest}/archive.zip").uri
    dataset = Dataset(name="coins", owner_id=owner.id, project_id=project.id if project else None)
    async with database.transaction() as session:
        session.add(dataset)
        await session.flush()
        session.add(
            DatasetVersion(
                dataset_id=dataset.id, number=1, created_by_id=owner.id, status=DatasetStatus.READY, upload_bytes=3,
                tries=1, archive_uri=uri, digest=digest, size_bytes=1000, error_count=0, warning_count=0,
                splits={"train": {"images": 2}}, task_types=[], class_names=[],
            )
        )  # fmt: skip
    return dataset


async def store_model(database: Database, store: ObjectStore, project: Project, owner: User) -> None:
    """A registered model of one version, whose weights have 40 bytes."""
    uid = uuid4()
    uri = store.put_bytes(b"x" * 40, f"models/{uid}/weights").uri
    model = RegisteredModel(project_id=project.id, name="reader", latest_version=1)
    async with database.transaction() as session:
        session.add(model)
        await session.flush()
        session.add(
            ModelVersion(
                uid=uid, model_id=model.id, number=1, stage="none", notes="", created_by_id=owner.id,
                artifact="checkpoints/best.pt", uri=uri, size_bytes=40, sha256="0" * 64, content_type="x", lineage={},
            )
        )  # fmt: skip
