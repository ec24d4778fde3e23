"""Conversions of rows of data sets to what the API returns."""

from vision_api.datasets.schemas import DatasetRead, ProgressRead, VersionRead
from vision_api.models import Dataset, DatasetStatus, DatasetVersion


def read_version(version: DatasetVersion) -> VersionRead:
    """Convert a version to what the API returns."""
    return VersionRead(
        version=version.number,
        status=version.status,
        format=version.format,  # pyright: ignore[reportArgumentType] - pydantic makes the enum
        task_types=version.task_types,  # pyright: ignore[reportArgumentType]
        num_classes=len(version.class_names) if version.digest else None,
        class_names=version.class_names,
        keypoint_names=version.keypoint_names,
        skeleton=[(one, other) for one, other in version.skeleton],
        num_images=version.num_images,
        splits=version.splits,
        split_options=version.split_options,
        digest=version.digest,
        size_bytes=version.size_bytes if version.size_bytes is not None else version.upload_bytes,
        error_count=version.error_count,
        warning_count=version.warning_count,
        imported_from=version.import_uri,
        progress=_progress(version),
        created_at=version.created_at,
    )


def _progress(version: DatasetVersion) -> ProgressRead | None:
    if version.status != DatasetStatus.PROCESSING:
        return None
    stage = version.progress_stage or "waiting"
    return ProgressRead(stage=stage, percent=version.progress_percent)  # pyright: ignore[reportArgumentType]


def read_dataset(dataset: Dataset, latest: DatasetVersion) -> DatasetRead:
    """Convert a data set and its newest version to what the API returns."""
    return DatasetRead.model_validate(
        read_version(latest).model_dump()
        | {
            "id": dataset.id,
            "name": dataset.name,
            "project_id": dataset.project_id,
            "created_at": dataset.created_at,
            "updated_at": dataset.updated_at,
        }
    )
