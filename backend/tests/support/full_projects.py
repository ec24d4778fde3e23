"""Projects that have a given number of everything that the API lists, inserted in bulk."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore
from support.common import PASSWORD_HASH
from support.job_rows import job_fields
from support.trained_jobs import DIGEST
from vision_api.db.base import Base
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.model_registry.lineage import Lineage, LineageData, LineageFile, LineageJob, LineageModel
from vision_api.models import (
    Artifact,
    Dataset,
    DatasetVersion,
    LogLine,
    MetricPoint,
    ModelPush,
    ModelVersion,
    Project,
    ProjectMember,
    RegisteredModel,
    TrainingJob,
    User,
)
from vision_api.storage_layout import manifest_key
from vision_contracts import TaskType

MODEL_NAME = "reader"
Row = dict[str, Any]


@dataclass(frozen=True)
class FullProject:
    """Ids of the inserted rows. Fields have the names of path parameters."""

    project_id: int
    dataset_id: int
    changed_dataset_id: int
    """All files of its version 2 are new."""
    job_ids: list[int]
    job_id: int
    operation_id: int
    preflight_id: int
    name: str = MODEL_NAME
    version: int = 1


async def fill_project(database: Database, store: ObjectStore, owner: User, count: int) -> FullProject:
    """Insert `count` projects of `owner`, the first of which has `count` of everything."""
    async with database.transaction() as session:
        project_ids = await _insert(session, Project, [{"name": f"Project {index}"} for index in range(count)])
        people = [{"email": f"{uuid4().hex}@example.com", "password_hash": PASSWORD_HASH} for _ in range(count - 1)]
        user_ids = await _insert(session, User, people) if people else []
        members = [{"project_id": each, "user_id": owner.id, "role": "owner"} for each in project_ids]
        members += [{"project_id": project_ids[0], "user_id": each, "role": "viewer"} for each in user_ids]
        await session.execute(insert(ProjectMember), members)
        common = {"project_id": project_ids[0]}
        dataset_id, changed_dataset_id, manifests = await _fill_datasets(session, owner, count, common)
        job_ids = await _fill_jobs(session, owner, count, common)
        operation_id, preflight_id = await _fill_operations(session, owner, count, common | {"parent_id": job_ids[0]})
        await _fill_models(session, owner, count, common)
    for key, manifest in manifests.items():
        store.put_bytes(manifest, key)
    return FullProject(
        **common, dataset_id=dataset_id, changed_dataset_id=changed_dataset_id, job_ids=job_ids, job_id=job_ids[0],
        operation_id=operation_id, preflight_id=preflight_id,
    )  # fmt: skip


async def _insert(session: AsyncSession, model: type[Base], rows: list[Row]) -> list[int]:
    """Return the ids in the order of `rows`."""
    key = model.__mapper__.c.id
    return list(await session.scalars(insert(model).returning(key, sort_by_parameter_order=True), rows))


async def _fill_datasets(
    session: AsyncSession, owner: User, count: int, common: Row
) -> tuple[int, int, dict[str, bytes]]:
    """Return the ids of a data set of `count` versions and of one whose files change, and the manifests by key."""
    newest = [2, *[1] * (count - 1), count]
    rows = [common | {"owner_id": owner.id, "name": "coins", "latest_version": number} for number in newest]
    dataset_ids = await _insert(session, Dataset, rows)
    finding = {"severity": "error", "code": "broken", "file": "a.png", "line": None, "message": "m", "fix": "f"}
    fields = {"created_by_id": owner.id, "status": "ready", "upload_bytes": 3, "findings": [finding] * count}
    versions = [
        {"dataset_id": dataset_id, "number": number + 1, "digest": uuid4().hex * 2}
        for dataset_id, latest in zip(dataset_ids, newest, strict=True)
        for number in range(latest)
    ]
    await session.execute(insert(DatasetVersion), [fields | version for version in versions])
    manifests: dict[str, bytes] = {}
    for version, files in zip(versions[:2], (["old.png"], [f"{index}.png" for index in range(count)]), strict=True):
        lines = (f"{name}\t{index + 1}\t{version['digest']}\ttrain" for index, name in enumerate(files))
        manifests[manifest_key(version["digest"])] = "\n".join(lines).encode()
    return dataset_ids[-1], dataset_ids[0], manifests


async def _fill_jobs(session: AsyncSession, owner: User, count: int, common: Row) -> list[int]:
    """Insert completed experiments and a queued one. The first has the curves, the log and the files."""
    completed = {"status": "completed", "dataset_digest": DIGEST, "dataset_version": 1, "primary_value": 0.5}
    waiting = {"status": "queued", "dataset_digest": None, "dataset_version": None, "primary_value": None}
    fields = common | {"created_by_id": owner.id}
    rows = [job_fields(**fields, **each) for each in (*[completed] * count, waiting)]
    job_ids = await _insert(session, TrainingJob, rows)
    points = [{"job_id": job_id, "name": "val/accuracy"} for job_id in job_ids]
    points += [{"job_id": job_ids[0], "name": f"val/{index}"} for index in range(count - 1)]
    await session.execute(insert(MetricPoint), [_point(1) | each for each in points])
    best = [{"job_id": job_id, "name": "checkpoints/best.pt", "uri": f"file:///{job_id}"} for job_id in job_ids]
    await session.execute(insert(Artifact), [_file("checkpoint") | each for each in best])
    lines = [{"job_id": job_ids[0], "line_id": index + 1} for index in range(count)]
    line = {"attempt": 1, "time": utc_now(), "level": "info", "message": "a line"}
    await session.execute(insert(LogLine), [line | each for each in lines])
    return job_ids


async def _fill_operations(session: AsyncSession, owner: User, count: int, common: Row) -> tuple[int, int]:
    """Insert operations of one experiment and a pre-flight, each with values. The newest and the pre-flight have files
    of their own; files of the others are the experiment's.
    """
    fields = common | {"created_by_id": owner.id, "status": "queued", "work": {}}
    rows = [job_fields(**fields, kind="evaluate") for _ in range(count - 1)]
    rows.append(job_fields(**fields, kind="predict"))
    rows.append(job_fields(**(fields | {"parent_id": None}), kind="preflight"))
    operation_ids = await _insert(session, TrainingJob, rows)
    points = [
        {"job_id": operation_id, "name": name}
        for operation_id in operation_ids
        for name in ("val/accuracy", "val/loss")
    ]
    await session.execute(insert(MetricPoint), [_point(step) | each for each in points for step in (1, 2)])
    files = [
        {"job_id": operation_id, "name": f"drawings/{index}.png", "uri": f"{row['output_uri']}/{index}.png"}
        for operation_id, row in list(zip(operation_ids, rows, strict=True))[-2:]
        for index in range(count)
    ]
    files += [
        {
            "job_id": common["parent_id"],
            "name": f"evaluations/{operation_id}.json",
            "uri": f"{row['output_uri']}/a.json",
        }
        for operation_id, row in zip(operation_ids[:-2], rows[:-2], strict=True)
    ]
    await session.execute(insert(Artifact), [_file("report") | each for each in files])
    return operation_ids[-2], operation_ids[-1]


async def _fill_models(session: AsyncSession, owner: User, count: int, common: Row) -> None:
    names = [MODEL_NAME, *(f"other-{index}" for index in range(count - 1))]
    model_ids = await _insert(session, RegisteredModel, [common | {"name": name} for name in names])
    numbers = [(model_ids[0], index + 1) for index in range(count)] + [(model_id, 1) for model_id in model_ids[1:]]
    fields = {
        "stage": "none", "notes": "", "created_by_id": owner.id, "artifact": "checkpoints/best.pt", "uri": "file:///x",
        "size_bytes": 1, "sha256": "0" * 64, "content_type": "x", "lineage": _lineage().model_dump(mode="json"),
    }  # fmt: skip
    rows = [fields | {"uid": uuid4(), "model_id": model_id, "number": number} for model_id, number in numbers]
    version_ids = await _insert(session, ModelVersion, rows)
    push = {"version_id": version_ids[0], "is_private": True, "status": "pushed", "created_by_id": owner.id}
    await session.execute(insert(ModelPush), [push | {"repository": f"people/{index}"} for index in range(count)])


def _point(step: int) -> Row:
    return {"step": step, "epoch": step, "value": step / 10, "time": utc_now()}


def _file(kind: str) -> Row:
    fields = {"kind": kind, "size_bytes": 1, "sha256": "0" * 64, "content_type": "x", "attempt": 1, "step": 1}
    return fields | {"created_at": utc_now()}


def _lineage() -> Lineage:
    """Return a minimal lineage."""
    job = {"id": 1, "uid": uuid4(), "name": "tiny", "status": "completed", "attempt": 1, "created_at": utc_now()}
    file = {"artifact": "checkpoints/best.pt", "uri": "file:///x", "sha256": "0" * 64, "size_bytes": 1, "attempt": 1}
    data = dict.fromkeys(LineageData.model_fields) | {"format": "auto", "validation_split": "val", "splits": {}}
    model = dict.fromkeys(LineageModel.model_fields) | {"framework": "small", "model_name": "tiny"}
    return Lineage(
        task_type=TaskType.IMAGE_CLASSIFICATION, job=LineageJob(**job, started_at=None, completed_at=None),
        file=LineageFile(**file, step=None), dataset=LineageData(**data), model=LineageModel(**model), environment={},
        settings={}, primary_metric="val/accuracy", metrics={}, speed=None, report="missing",
    )  # fmt: skip
