"""Rows of operations as clients see them."""

from collections.abc import Sequence
from typing import Any

from vision_api.models import Artifact, TrainingJob
from vision_api.operations.schemas import OperationArtifact, OperationRead, PredictedImage
from vision_api.training_jobs.serializers import read_progress
from vision_contracts import JobKind, PredictionReport

_NOT_SETTINGS = ("kind", "metrics", "name")
"""Fields of the stored operation that its client did not send."""


def read_operation(
    row: TrainingJob,
    *,
    queue_position: int | None,
    values: dict[str, float | None],
    artifacts: Sequence[Artifact],
) -> OperationRead:
    """Return an operation without its predictions."""
    return OperationRead(
        id=row.id,
        job_id=row.parent_id,
        kind=JobKind(row.kind),
        status=row.status,
        status_reason=row.status_reason,
        status_message=row.status_message,
        error_message=row.error_message,
        queue_position=queue_position,
        progress=read_progress(row),
        settings=_settings(row),
        values=values,
        artifacts=[_read_artifact(artifact) for artifact in artifacts],
        created_at=row.created_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
    )


def read_predictions(report: PredictionReport, operation_id: int) -> list[PredictedImage]:
    """Return the predictions of a report, each with the path of its drawing."""
    return [
        PredictedImage(
            **image.model_dump(), drawing_url=_url(operation_id, image.drawing) if image.drawing is not None else None
        )
        for image in report.images
    ]


def _read_artifact(artifact: Artifact) -> OperationArtifact:
    return OperationArtifact(
        name=artifact.name,
        kind=artifact.kind,
        size_bytes=artifact.size_bytes,
        url=_url(artifact.job_id, artifact.name),
    )


def _settings(row: TrainingJob) -> dict[str, Any]:
    """Return the settings of the request, without URIs of the storage."""
    settings = {name: value for name, value in (row.work or {}).items() if name not in _NOT_SETTINGS}
    if "images" in settings:
        settings["images"] = [image["name"] for image in settings["images"]]
    weights = row.initial_weights
    return settings | ({"artifact": weights["artifact"]} if isinstance(weights, dict) else {})


def _url(job_id: int, name: str) -> str:
    return f"/api/v1/training/jobs/{job_id}/artifacts/{name}"
