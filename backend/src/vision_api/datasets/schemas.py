"""What the routes of data sets take and give."""

from typing import Annotated

from pydantic import Field, StringConstraints

from vision_api.kit.schemas import ReadModel, RequestModel, ResourceId
from vision_api.models import DatasetStatus
from vision_contracts import DatasetFormat, TaskType, Time

DatasetName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Field(examples=["Coins, first batch"])
]


class DatasetCreate(RequestModel):
    """The fields of the form beside `file`."""

    name: DatasetName
    project_id: ResourceId | None = Field(default=None, description="Without it the data set is yours alone.")


class VersionCreate(RequestModel):
    """A new version has no field but `file`."""


class DatasetUpdate(RequestModel):
    """What to change."""

    name: DatasetName


class SplitRead(ReadModel):
    """One split."""

    images: int


class VersionRead(ReadModel):
    """One version, as far as it is known. While it is processing, most is null."""

    version: int
    status: DatasetStatus
    format: DatasetFormat | None
    task_types: list[TaskType]
    num_classes: int | None
    class_names: list[str]
    num_images: int | None
    splits: dict[str, SplitRead]
    digest: str | None
    size_bytes: int = Field(description="Of the files; of the upload until they are known.")
    error_count: int
    warning_count: int
    created_at: Time


class DatasetRead(VersionRead):
    """A data set with what its newest version holds."""

    id: int
    name: str
    project_id: int | None
    updated_at: Time


class FindingRead(ReadModel):
    """Something that is wrong, and what to do about it."""

    severity: str
    code: str
    file: str
    line: int | None
    message: str
    fix: str


class DiffRead(ReadModel):
    """What changed from one version to another. Of each kind up to 1,000 names are listed."""

    added_count: int
    removed_count: int
    changed_count: int
    added: list[str]
    removed: list[str]
    changed: list[str]
