"""Requests and responses of registered models."""

import unicodedata
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from vision_api.kit.schemas import ReadModel, RequestModel, ResourceId
from vision_api.model_registry.lineage import Lineage
from vision_api.models import ModelStage
from vision_api.training_jobs.schemas import ArtifactName, Notes
from vision_contracts import Time

ModelName = Annotated[
    str,
    StringConstraints(pattern=r"^\w[\w.\-]{0,99}$"),
    AfterValidator(lambda name: unicodedata.normalize("NFC", name)),
    Field(description="Letters, digits, `_`, `-` and `.`; no `/` and no `:`.", examples=["defect-finder"]),
]


class ModelRegister(RequestModel):
    """A result that becomes the next version of a name."""

    name: ModelName
    job_id: ResourceId
    artifact: ArtifactName = Field(
        default="checkpoints/best",
        description="A checkpoint or an export of the experiment; the suffix may be left out.",
    )
    stage: ModelStage = ModelStage.NONE
    notes: Notes = ""


class ModelVersionUpdate(RequestModel):
    """Changes of a version. Its other fields never change."""

    stage: ModelStage | None = None
    notes: Notes | None = None

    @model_validator(mode="after")
    def _not_null(self) -> "ModelVersionUpdate":
        for name in self.model_fields_set:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null: leave it out to keep it.")
        return self


class RegisteredModelRead(ReadModel):
    """A name with its versions."""

    project_id: int
    name: str
    latest_version: int
    production_version: int | None
    version_count: int
    created_at: Time
    updated_at: Time = Field(description="Time of the last added or changed version.")


class ModelVersionRead(ReadModel):
    """One version of a name."""

    reference: str = Field(description="`project/name:version`", examples=["Surface defects/defect-finder:3"])
    project_id: int
    name: str
    version: int
    uid: UUID
    stage: ModelStage
    notes: str
    created_by_id: int
    created_at: Time
    updated_at: Time
    job_id: int | None = Field(description="Null once the experiment is deleted; `lineage` still has it.")
    artifact: str
    uri: str = Field(description="URI of its own copy of the weights, which stays when the experiment is deleted.")
    size_bytes: int
    sha256: str
    content_type: str
    lineage: Lineage
