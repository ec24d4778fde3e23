"""What the routes of data sets take and give."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from vision_api.kit.schemas import ReadModel, RequestModel, ResourceId
from vision_api.models import DatasetStatus
from vision_contracts import DatasetFormat, TaskType, Time

DatasetName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Field(examples=["Coins, first batch"])
]


Fraction = Annotated[float, Field(ge=0, le=0.9)]


class SplitRequest(RequestModel):
    """How the images are to be split, once and for all: every class alike, exact copies of an image together.

    Without any of it a data set stays as it comes.
    """

    val_fraction: Fraction | None = Field(
        default=None, description="Share of all images; 0.2 by default. A `val` that the data set brings is kept."
    )
    test_fraction: Fraction | None = Field(
        default=None, description="Share of all images; none by default. A `test` that the data set brings is kept."
    )
    split_seed: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="The same seed gives the same splits; 0 by default."
    )
    resplit: bool = Field(default=False, description="Split all images anew, also where the data set brings splits.")

    @model_validator(mode="after")
    def _leave_some_to_learn_from(self) -> Self:
        if (self.val_fraction or 0.0) + (self.test_fraction or 0.0) >= 1:
            raise ValueError("`val_fraction` and `test_fraction` must leave images to train on: their sum is below 1.")
        return self

    @property
    def split_options(self) -> dict[str, Any] | None:
        """What is to be kept of it; None if nothing was asked for."""
        return self.model_dump(include=set(SplitRequest.model_fields), exclude_defaults=True) or None


class DatasetCreate(SplitRequest):
    """The fields of the form beside `file`."""

    name: DatasetName
    project_id: ResourceId | None = Field(default=None, description="Without it the data set is yours alone.")


class VersionCreate(SplitRequest):
    """The fields of a new version's form beside `file`."""


ImportUri = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000),
    Field(
        description="`file:///…` in `DATASET_ROOTS`, or `s3://bucket/prefix` in `IMPORT_PREFIXES`: a folder, or one "
        "zip archive. It is copied, and never changed.",
        examples=["file:///datasets/coins"],
    ),
]


class DatasetImport(DatasetCreate):
    """A new data set, and where its files are."""

    uri: ImportUri


class VersionImport(VersionCreate):
    """Where the files of a new version are."""

    uri: ImportUri


class DatasetUpdate(RequestModel):
    """What to change."""

    name: DatasetName


class SplitRead(ReadModel):
    """One split."""

    images: int


class ProgressRead(ReadModel):
    """What the processor is at; told about once a second."""

    stage: Literal["waiting", "fetching", "unpacking", "checking", "storing"]
    percent: int | None = Field(description="Of this stage, 0 to 100; null where nobody can tell.")


class VersionRead(ReadModel):
    """One version, as far as it is known. While it is processing, most is null."""

    version: int
    status: DatasetStatus
    format: DatasetFormat | None
    task_types: list[TaskType]
    num_classes: int | None
    class_names: list[str]
    keypoint_names: list[str]
    skeleton: list[tuple[int, int]] = Field(description="Pairs of keypoints, counted from 0, with a line between.")
    num_images: int | None
    splits: dict[str, SplitRead]
    split_options: dict[str, float | bool] | None = Field(
        description="What was asked for: `val_fraction`, `test_fraction`, `split_seed`, `resplit`."
    )
    digest: str | None
    size_bytes: int = Field(description="Of the files; of the upload until they are known.")
    error_count: int
    warning_count: int
    imported_from: str | None = Field(description="Null for an upload.")
    progress: ProgressRead | None = Field(description="While `processing`.")
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


class ChangeRead(ReadModel):
    """One file that is in both versions, and what differs."""

    file: str = Field(description="Its name in the later version.")
    file_before: str
    before: str | None = Field(description="Its class or what was labelled in it, or its split; null for a move.")
    after: str | None


class DiffRead(ReadModel):
    """What changed from one version to another. Of each kind up to 1,000 are listed.

    A file that was moved counts as neither added nor removed. An image may be in several lists.
    """

    added_count: int
    removed_count: int
    changed_count: int
    moved_count: int
    relabelled_count: int
    split_changed_count: int
    added: list[str]
    removed: list[str]
    changed: list[str] = Field(description="Files of other content.")
    moved: list[ChangeRead] = Field(description="Files of the same content under another name.")
    relabelled: list[ChangeRead] = Field(description="Images of another class, or with other objects.")
    split_changed: list[ChangeRead] = Field(description="Images that are for something else now.")
