"""A data set as every reader gives it and every trainer takes it, whatever its files look like.

Coordinates are pixels of the upright image (after its EXIF orientation), origin at the top left corner of the top
left pixel, as floats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from data_kit.errors import Finding
from data_kit.tree import relative_name
from vision_contracts import DatasetFormat, TaskType

Box = tuple[float, float, float, float]
"""`x1, y1, x2, y2`: left, top, right, bottom."""

Polygon = tuple[float, ...]
"""`x1, y1, x2, y2, …`: at least three corners."""

Keypoint = tuple[float, float, int]
"""`x, y, visibility`: 0 not labelled (x and y are 0), 1 hidden, 2 visible."""


class Split(StrEnum):
    """The part of a data set that a sample belongs to. `val`, `valid` and `validation` are one split."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Instance:
    """One labelled object in an image."""

    class_id: int
    box: Box
    polygons: tuple[Polygon, ...] = ()
    keypoints: tuple[Keypoint, ...] = ()
    corners: Polygon | None = None
    """Four corners of an oriented box, in order around it."""
    is_crowd: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its labels."""

    image: Path
    width: int
    height: int
    class_id: int | None = None
    """Class of the whole image; None in data sets that label objects."""
    instances: tuple[Instance, ...] = ()

    @property
    def labels(self) -> tuple[int | None, frozenset[Instance]]:
        """The image's labels in no order: equal for samples that are labelled alike."""
        return self.class_id, frozenset(self.instances)

    @property
    def class_ids(self) -> set[int]:
        """Every class that the image shows."""
        own = {self.class_id} if self.class_id is not None else set[int]()
        return own | {instance.class_id for instance in self.instances}


@dataclass(frozen=True)
class Dataset:
    """All samples, read once. `splits` always has `train` and `val`; both are non-empty."""

    root: Path
    format: DatasetFormat
    task_types: frozenset[TaskType]
    """Every task that these labels can train: polygons give boxes too."""
    class_names: tuple[str, ...]
    splits: dict[Split, Sequence[Sample]]
    keypoint_names: tuple[str, ...] = ()
    keypoint_flip: tuple[int, ...] = ()
    """Index of each keypoint's mirror image; empty if not known."""
    skeleton: tuple[tuple[int, int], ...] = ()
    is_val_split_off: bool = False
    """The files have no `val`: it is a part of their `train`, chosen by seed."""
    findings: tuple[Finding, ...] = ()
    """Warnings."""

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def own_splits(self) -> dict[Split, Sequence[Sample]]:
        """The splits of the files themselves: a `val` that was split off is still a part of `train`."""
        if not self.is_val_split_off:
            return self.splits
        others = {split: samples for split, samples in self.splits.items() if split is not Split.VAL}
        return others | {Split.TRAIN: [*self.splits[Split.TRAIN], *self.splits[Split.VAL]]}

    def name_of(self, sample: Sample) -> str:
        """The image's path inside the data set, as `Tree` names it."""
        return relative_name(self.root, sample.image)

    def __getitem__(self, split: Split | str) -> Sequence[Sample]:
        return self.splits[Split(split)]
