"""Ground truth of samples for every task, made of their labels in this module alone.

All evaluators use it, so that the validations of a training and the evaluation of a checkpoint compare predictions with
the same numbers and the same pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_kit import Dataset, Instance, Sample
from data_kit.geometry import area
from data_kit.masks import fill_polygons
from trainer_kit.evaluation.base import Bools
from trainer_kit.evaluation.overlaps import box_areas

BACKGROUND = 0
IGNORED = 255
"""Label id of pixels that are neither trained on nor evaluated: those of crowds."""

PERSON_SIGMAS = (
    np.array([0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89])
    / 10
)
"""Sigmas of COCO's 17 keypoints: see `keypoint_sigmas`."""


@dataclass(frozen=True)
class MaskGrid:
    """Resolution of masks: `width` by `height` cells, in which the point (x, y) of the image has the coordinates
    (x, y) * scale + offset.
    """

    width: int
    height: int
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)

    def fill(self, instance: Instance) -> Bools:
        """Rasterise an object: (height, width), true for cells whose centre lies in its outline."""
        outlines = [np.reshape(polygon, (-1, 2)) * self.scale + self.offset for polygon in instance.polygons]
        return fill_polygons([tuple(outline.ravel().tolist()) for outline in outlines], self.width, self.height)


def as_one_class(dataset: Dataset) -> Dataset:
    """Return the data set with all its classes merged into one, `item`, for networks that were trained so."""

    def rename(sample: Sample) -> Sample:
        return replace(sample, instances=tuple(replace(instance, class_id=0) for instance in sample.instances))

    splits = {split: [rename(sample) for sample in samples] for split, samples in dataset.splits.items()}
    return replace(dataset, class_names=("item",), splits=splits)


def image_classes(samples: Sequence[Sample]) -> NDArray[np.int64]:
    """(n,): class id of each image. Raises ValueError for a sample without a class."""
    classes = [sample.class_id for sample in samples if sample.class_id is not None]
    if len(classes) < len(samples):
        raise ValueError("an image has no class of its own")
    return np.array(classes, dtype=np.int64)


def label_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Names of the ids in a label map: the background is a class too, the first one, as in Pascal VOC."""
    return ("background", *class_names)


def label_map(sample: Sample) -> NDArray[np.uint8]:
    """(height, width): class id + 1 in pixels of objects, the small ones over the large ones; IGNORED in those of
    crowds; BACKGROUND elsewhere.
    """
    labels = np.full((sample.height, sample.width), BACKGROUND, dtype=np.uint8)
    grid = MaskGrid(sample.width, sample.height)
    for instance in sorted(sample.instances, key=_box_area, reverse=True):
        labels[grid.fill(instance)] = IGNORED if instance.is_crowd else instance.class_id + 1
    return labels


def labelled_classes(instances: Sequence[Instance]) -> NDArray[np.int64]:
    """(m,): class ids."""
    return np.array([instance.class_id for instance in instances], dtype=np.int64)


def labelled_crowds(instances: Sequence[Instance]) -> Bools:
    """(m,): true for a region of many objects, which need not be found one by one."""
    return np.array([instance.is_crowd for instance in instances], dtype=np.bool_)


def labelled_boxes(instances: Sequence[Instance]) -> NDArray[np.float64]:
    """(m, 4): `x1, y1, x2, y2`."""
    return np.array([instance.box for instance in instances], dtype=np.float64).reshape(-1, 4)


def labelled_masks(instances: Sequence[Instance], grid: MaskGrid) -> Bools:
    """(m, height, width): masks in cells of `grid`."""
    masks = np.array([grid.fill(instance) for instance in instances], dtype=np.bool_)
    return masks.reshape(-1, grid.height, grid.width)


def labelled_corners(instances: Sequence[Instance]) -> NDArray[np.float64]:
    """(m, 4, 2): x, y, in order around each object."""
    return np.array([instance.corners for instance in instances], dtype=np.float64).reshape(-1, 4, 2)


def labelled_keypoints(instances: Sequence[Instance], count: int) -> NDArray[np.float64]:
    """(m, count, 3): x, y, visibility; zeros where an object has none."""
    missing = ((0.0, 0.0, 0),) * count
    points = [instance.keypoints or missing for instance in instances]
    return np.array(points, dtype=np.float64).reshape(-1, count, 3)


def keypoint_sigmas(count: int) -> NDArray[np.float64]:
    """(count,): standard deviation of each keypoint's annotations, relative to the object's scale. COCO's for 17, which
    are a person's keypoints; else 1 / count, since there are no measurements.
    """
    return PERSON_SIGMAS if count == len(PERSON_SIGMAS) else np.full(count, 1 / max(count, 1))


def labelled_areas(instances: Sequence[Instance], share_of_box: float = 1.0) -> NDArray[np.float64]:
    """(m,): area of the outline where there is one, as COCO counts, else `share_of_box` of the box's area."""
    outlined = np.array([sum(map(area, instance.polygons)) for instance in instances])
    return np.where(outlined > 0, outlined, box_areas(labelled_boxes(instances)) * share_of_box)


def _box_area(instance: Instance) -> float:
    x1, y1, x2, y2 = instance.box
    return (x2 - x1) * (y2 - y1)
