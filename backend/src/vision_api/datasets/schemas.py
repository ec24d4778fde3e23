"""Requests and responses of the routes of data sets."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from vision_api.kit.schemas import OneLine, ReadModel, RequestModel, ResourceId
from vision_api.models import DatasetStatus
from vision_contracts import DatasetFormat, TaskType, Time

DatasetName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    OneLine(),
    Field(examples=["Coins, first batch"]),
]


Fraction = Annotated[float, Field(ge=0, le=0.9)]


class SplitRequest(RequestModel):
    """Options to split the images once and for all: every class alike, exact copies of an image together.

    Without any of them a data set keeps its own splits.
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
    def _leave_images_to_train_on(self) -> Self:
        if (self.val_fraction or 0.0) + (self.test_fraction or 0.0) >= 1:
            raise ValueError("`val_fraction` and `test_fraction` must leave images to train on: their sum is below 1.")
        return self

    @property
    def split_options(self) -> dict[str, Any] | None:
        """Options to store with the version; None without any."""
        return self.model_dump(include=set(SplitRequest.model_fields), exclude_defaults=True) or None


class DatasetCreate(SplitRequest):
    """Fields of the form besides `file`."""

    name: DatasetName
    project_id: ResourceId | None = Field(default=None, description="Without it the data set is yours alone.")


class VersionCreate(SplitRequest):
    """Fields of a new version's form besides `file`."""


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
    """A new data set, and the place of its files."""

    uri: ImportUri


class VersionImport(VersionCreate):
    """Place of the files of a new version."""

    uri: ImportUri


class DatasetUpdate(RequestModel):
    """Changes of a data set."""

    name: DatasetName


class SplitRead(ReadModel):
    """Size of one split."""

    images: int


class ProgressRead(ReadModel):
    """Progress of the processing, updated about once a second."""

    stage: Literal["waiting", "fetching", "unpacking", "checking", "storing"]
    percent: int | None = Field(description="Percent of this stage, 0 to 100; null if it is unknown.")


class VersionRead(ReadModel):
    """One version. While it is processing, most fields are null."""

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
        description="The options of the request: `val_fraction`, `test_fraction`, `split_seed`, `resplit`."
    )
    digest: str | None
    size_bytes: int = Field(description="Size of the files; of the upload until they are known.")
    error_count: int
    warning_count: int
    imported_from: str | None = Field(description="Null for an upload.")
    progress: ProgressRead | None = Field(description="While `processing`.")
    created_at: Time


class DatasetRead(VersionRead):
    """A data set with the content of its newest version."""

    id: int
    name: str
    project_id: int | None
    updated_at: Time


class FindingRead(ReadModel):
    """A problem of a data set, and its fix."""

    severity: str
    code: str
    file: str
    line: int | None
    message: str
    fix: str


class ChangeRead(ReadModel):
    """One file that is in both versions, and its difference."""

    file: str = Field(description="Its name in the later version.")
    file_before: str
    before: str | None = Field(description="Its class, the objects labelled in it, or its split; null for a move.")
    after: str | None


class DiffRead(ReadModel):
    """Differences from one version to another. Of each kind up to 1,000 are listed.

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
    relabelled: list[ChangeRead] = Field(description="Images with another class or other objects.")
    split_changed: list[ChangeRead] = Field(description="Images that are in another split now.")
