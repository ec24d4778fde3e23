"""Completed jobs with curves, a best checkpoint and a report, as trainings would have left them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import insert

from data_kit import ObjectStore
from support.job_rows import job_fields
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import Artifact, MetricPoint, Project, TrainingJob, User
from vision_api.storage_layout import job_uri
from vision_contracts import (
    BatchTime,
    ClassEvaluation,
    ConfusionMatrix,
    EvaluationReport,
    ModelSpeed,
    SplitEvaluation,
    TaskType,
)

TrainJob = Callable[..., Awaitable[TrainingJob]]
DIGEST = "d" * 64
WEIGHTS = b"these are weights"


def make_report(classes: Mapping[str, float], *, images: int = 20, **fields: Any) -> EvaluationReport:
    """An evaluation of a classification, made from the F1 of each class."""
    mean = sum(classes.values()) / len(classes)
    evaluation = SplitEvaluation(
        images=images,
        values={"accuracy": mean, "f1_macro": mean, "expected_calibration_error": 0.1},
        classes=[ClassEvaluation(name=name, support=10, values={"f1": f1}) for name, f1 in classes.items()],
        confusion=ConfusionMatrix(labels=list(classes), counts=[[10, 0], [0, 10]]),
    )
    speed = ModelSpeed(
        device="cpu", device_name="A CPU", precision="float32", image_size=32, parameters=1234,
        batches=[BatchTime(batch_size=size, batch_seconds=0.005 * size, images_per_second=200) for size in (1, 8)],
    )  # fmt: skip
    defaults = {
        "framework": "small", "model_name": "tiny", "task_type": TaskType.IMAGE_CLASSIFICATION, "epoch": 2,
        "primary_metric": "val/accuracy", "splits": {"val": evaluation}, "speed": speed,
    }  # fmt: skip
    return EvaluationReport(**(defaults | fields))


async def train(
    database: Database,
    store: ObjectStore,
    project: Project,
    owner: User,
    *,
    accuracies: Sequence[float] = (0.5, 0.75),
    steps_per_epoch: int = 4,
    report: EvaluationReport | bytes | None = None,
    **fields: Any,
) -> TrainingJob:
    """The best epoch is the one of the highest accuracy."""
    uid, now, best = uuid4(), utc_now(), max(range(len(accuracies)), key=lambda index: accuracies[index])
    defaults = {
        "project_id": project.id, "created_by_id": owner.id, "status": "completed", "attempt": 1, "job_uid": uid,
        "output_uri": job_uri(store.url, uid), "dataset_digest": DIGEST, "dataset_path": None, "dataset_version": 1,
        "primary_value": max(accuracies), "accuracy": max(accuracies), "loss": 0.25, "started_at": now,
        "completed_at": now + timedelta(seconds=60), "progress_epoch": len(accuracies), "epochs": len(accuracies),
        "environment": {"device": "cpu", "versions": {"torch": "2.15.0"}, "platform": "0.1.0"},
        "checkpoint_uri": f"{job_uri(store.url, uid)}/attempts/1/best.pt",
    }  # fmt: skip
    job = TrainingJob(**job_fields(**(defaults | fields)))
    files = [("checkpoints/best.pt", "checkpoint", WEIGHTS, (best + 1) * steps_per_epoch)]
    if report is not None:
        content = report.model_dump_json().encode() if isinstance(report, EvaluationReport) else report
        files.append(("report.json", "report", content, 0))
    stored_files = [store.put_bytes(content, f"jobs/{uid}/attempts/1/{name}") for name, _, content, _ in files]
    async with database.transaction() as session:
        session.add(job)
        await session.flush()
        for (name, kind, _, step), stored in zip(files, stored_files, strict=True):
            session.add(
                Artifact(
                    job_id=job.id, name=name, kind=kind, uri=stored.uri, size_bytes=stored.size_bytes,
                    sha256=stored.sha256, content_type="application/octet-stream", attempt=1, step=step, created_at=now,
                )
            )  # fmt: skip
        await session.execute(insert(MetricPoint), _points(job, accuracies, steps_per_epoch))
    return job


def _points(job: TrainingJob, accuracies: Sequence[float], steps_per_epoch: int) -> list[dict[str, Any]]:
    of_job = {"job_id": job.id, "time": utc_now()}
    ends = [
        {"step": epoch * steps_per_epoch, "epoch": epoch, "name": name, "value": value}
        for epoch, accuracy in enumerate(accuracies, start=1)
        for name, value in (("val/accuracy", accuracy), ("val/loss", 1 - accuracy), ("time/epoch_seconds", 2.0))
    ]
    steps = [
        {"step": step, "epoch": (step - 1) // steps_per_epoch, "name": "train/loss", "value": 1 / step}
        for step in range(1, len(accuracies) * steps_per_epoch + 1)
    ]
    return [of_job | point for point in ends + steps]
