"""Rows of registered models and versions as clients see them."""

from typing import Any

from vision_api.model_registry.schemas import ModelVersionRead, RegisteredModelRead
from vision_api.models import ModelVersion

_DERIVED = ("reference", "project_id", "name", "version")


def read_version(version: ModelVersion, *, project_id: int, project_name: str, name: str) -> ModelVersionRead:
    """Return a version with its name and reference."""
    plain = {field: getattr(version, field) for field in ModelVersionRead.model_fields if field not in _DERIVED}
    return ModelVersionRead(
        **plain,
        reference=f"{project_name}/{name}:{version.number}",
        project_id=project_id,
        name=name,
        version=version.number,
    )


def read_model(row: Any) -> RegisteredModelRead:
    """Return a registered model from a row of `repository.page_models`."""
    model = row[0]
    return RegisteredModelRead(
        project_id=model.project_id,
        name=model.name,
        latest_version=row[2],
        production_version=row[3],
        version_count=row[1],
        created_at=model.created_at,
        updated_at=row[4],
    )
