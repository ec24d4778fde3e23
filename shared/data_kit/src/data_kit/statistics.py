"""A data set in numbers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from data_kit.dataset import Dataset, Sample
from vision_contracts import Message


class Spread(Message):
    """Smallest, middle and largest of some numbers."""

    min: float
    median: float
    max: float


class SplitStatistics(Message):
    """One split in numbers."""

    images: int
    objects: int
    images_without_objects: int
    classes: dict[str, int]
    """Images of each class, or objects of each class in a data set of objects; all classes, also those with none."""


class DatasetStatistics(Message):
    """All splits, and what the images are like."""

    splits: dict[str, SplitStatistics]
    width: Spread
    height: Spread
    objects_per_image: Spread | None = None
    box_share: Spread | None = None
    """Area of the boxes, as a share of their image."""


def describe(dataset: Dataset) -> DatasetStatistics:
    """Counts what labels and headers say."""
    samples = [sample for split in dataset.splits.values() for sample in split]
    shares = [_share(sample) for sample in samples]
    return DatasetStatistics(
        splits={split.value: _split(dataset, samples) for split, samples in dataset.splits.items()},
        width=_spread([sample.width for sample in samples]),
        height=_spread([sample.height for sample in samples]),
        objects_per_image=_spread([len(sample.instances) for sample in samples]) if any(shares) else None,
        box_share=_spread([share for some in shares for share in some]) if any(shares) else None,
    )


def _split(dataset: Dataset, samples: Sequence[Sample]) -> SplitStatistics:
    counts = Counter(class_id for sample in samples for class_id in _class_ids(sample))
    return SplitStatistics(
        images=len(samples),
        objects=sum(len(sample.instances) for sample in samples),
        images_without_objects=sum(sample.class_id is None and not sample.instances for sample in samples),
        classes={name: counts[class_id] for class_id, name in enumerate(dataset.class_names)},
    )


def _class_ids(sample: Sample) -> Iterable[int]:
    return [sample.class_id] if sample.class_id is not None else (i.class_id for i in sample.instances)


def _share(sample: Sample) -> list[float]:
    area = sample.width * sample.height
    return [(x2 - x1) * (y2 - y1) / area for x1, y1, x2, y2 in (instance.box for instance in sample.instances)]


def _spread(values: Sequence[float]) -> Spread:
    return Spread(min=min(values), median=median(values), max=max(values))
