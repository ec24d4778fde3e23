"""Statistics of a data set."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np

from data_kit.dataset import Dataset, Instance, Sample
from vision_contracts import Message

SMALL_AREA, LARGE_AREA = 32**2, 96**2
"""Upper bound of COCO's small objects and lower bound of its large ones, in square pixels."""
_SHARES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_ASPECTS = (0.25, 1 / 3, 0.5, 2 / 3, 0.75, 0.9, 1.1, 4 / 3, 1.5, 2.0, 3.0, 4.0)
_MOST_BINS = 20


class Spread(Message):
    """Smallest, middle and largest of some numbers."""

    min: float
    median: float
    max: float


class Histogram(Message):
    """Counts of the numbers between one edge and the next: `counts` has one entry less than `edges`.

    A number on an edge belongs to the bin above it; one on the last edge to the last bin.
    """

    edges: list[float]
    counts: list[int]


class BoxSizes(Message):
    """Counts of boxes by area as COCO has it: below 32 x 32 pixels of the stored image, below 96 x 96, and above."""

    small: int
    medium: int
    large: int


class SplitStatistics(Message):
    """Statistics of one split."""

    images: int
    objects: int
    images_without_objects: int
    classes: dict[str, int]
    """Images of each class, or objects of each class in a data set of objects; all classes, also those with none."""
    class_images: dict[str, int] | None = None
    """Images that show each class. Null for versions from before there was such a number, as all that may be null."""


class DatasetStatistics(Message):
    """Statistics of all splits and their images. Boxes include those of crowds."""

    splits: dict[str, SplitStatistics]
    width: Spread
    height: Spread
    objects_per_image: Spread | None = None
    box_share: Spread | None = None
    """Area of the boxes, as a share of their image."""
    aspect: Spread | None = None
    """Width by height of the images."""
    width_histogram: Histogram | None = None
    height_histogram: Histogram | None = None
    aspect_histogram: Histogram | None = None
    objects_per_image_histogram: Histogram | None = None
    box_share_histogram: Histogram | None = None
    """The edges grow by a factor of about three."""
    box_sizes: BoxSizes | None = None


def describe(dataset: Dataset) -> DatasetStatistics:
    """Compute the statistics from labels and image headers."""
    samples = [sample for split in dataset.splits.values() for sample in split]
    splits = {split.value: _split(dataset, samples) for split, samples in dataset.splits.items()}
    widths, heights = [sample.width for sample in samples], [sample.height for sample in samples]
    aspects = [sample.width / sample.height for sample in samples]
    statistics = DatasetStatistics(
        splits=splits,
        width=_spread(widths),
        height=_spread(heights),
        aspect=_spread(aspects),
        width_histogram=_histogram(widths, _whole_edges(widths)),
        height_histogram=_histogram(heights, _whole_edges(heights)),
        aspect_histogram=_histogram(aspects, _aspect_edges(aspects)),
    )
    if not any(sample.instances for sample in samples):
        return statistics
    return statistics.model_copy(update=_of_objects(samples))


def _of_objects(samples: Sequence[Sample]) -> dict[str, object]:
    counts = [len(sample.instances) for sample in samples]
    areas = np.array([_area(instance) for sample in samples for instance in sample.instances])
    images = np.array([sample.width * sample.height for sample in samples for _ in sample.instances])
    shares: list[float] = (areas / images).tolist()
    small, large = int((areas < SMALL_AREA).sum()), int((areas >= LARGE_AREA).sum())
    return {
        "objects_per_image": _spread(counts),
        "objects_per_image_histogram": _histogram(counts, _whole_edges(counts)),
        "box_share": _spread(shares),
        "box_share_histogram": _histogram(shares, _SHARES),
        "box_sizes": BoxSizes(small=small, medium=len(areas) - small - large, large=large),
    }


def _split(dataset: Dataset, samples: Sequence[Sample]) -> SplitStatistics:
    counts = Counter(class_id for sample in samples for class_id in _class_ids(sample))
    images = Counter(class_id for sample in samples for class_id in sample.class_ids)
    return SplitStatistics(
        images=len(samples),
        objects=sum(len(sample.instances) for sample in samples),
        images_without_objects=sum(sample.class_id is None and not sample.instances for sample in samples),
        classes={name: counts[class_id] for class_id, name in enumerate(dataset.class_names)},
        class_images={name: images[class_id] for class_id, name in enumerate(dataset.class_names)},
    )


def _class_ids(sample: Sample) -> Iterable[int]:
    return [sample.class_id] if sample.class_id is not None else (i.class_id for i in sample.instances)


def _area(instance: Instance) -> float:
    x1, y1, x2, y2 = instance.box
    return (x2 - x1) * (y2 - y1)


def _spread(values: Sequence[float]) -> Spread:
    return Spread(min=min(values), median=median(values), max=max(values))


def _histogram(values: Sequence[float], edges: Sequence[float]) -> Histogram:
    counts, _ = np.histogram(values, edges)
    return Histogram(edges=list(edges), counts=counts.tolist())


def _whole_edges(values: Sequence[int]) -> list[float]:
    """Return edges of bins of one whole number each, or of as many that twenty bins are enough."""
    low, high = min(values), max(values) + 1
    step = -(-(high - low) // _MOST_BINS)
    return [float(edge) for edge in range(low, high + step, step)]


def _aspect_edges(values: Sequence[float]) -> list[float]:
    """Return edges around the usual aspects, widened to the values' range."""
    low, high = min(min(values), _ASPECTS[0]), max(max(values), _ASPECTS[-1])
    return sorted({low, *_ASPECTS, high})
