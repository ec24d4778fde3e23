"""From an image's labels and what was found in it, both in pixels of the upright image, to how they overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_kit import Instance, Sample
from data_kit.geometry import area
from trainer_kit.evaluation.base import Floats, Ints
from trainer_kit.evaluation.detection import DetectionEvaluator
from trainer_kit.evaluation.overlaps import box_areas, box_overlaps


@dataclass(frozen=True)
class Found:
    """The n objects that a network has found in one image."""

    scores: Floats
    classes: Ints
    boxes: Floats
    """(n, 4): `x1, y1, x2, y2`."""


class ObjectEvaluator(DetectionEvaluator):
    """Measures boxes against those of the data set itself, whatever the network was shown of them."""

    def add(self, sample: Sample, found: Found) -> None:
        """One image."""
        boxes = labelled_boxes(sample.instances)
        crowd = np.array([instance.is_crowd for instance in sample.instances], dtype=bool)
        self.update(
            box_overlaps(found.boxes, boxes, crowd),
            scores=found.scores,
            classes=found.classes,
            areas=box_areas(found.boxes),
            true_classes=np.array([instance.class_id for instance in sample.instances], dtype=np.int64),
            true_areas=labelled_areas(sample.instances),
            crowd=crowd,
        )


def labelled_boxes(instances: Sequence[Instance]) -> NDArray[np.float64]:
    """(m, 4): `x1, y1, x2, y2`."""
    return np.array([instance.box for instance in instances], dtype=np.float64).reshape(-1, 4)


def labelled_areas(instances: Sequence[Instance]) -> NDArray[np.float64]:
    """Of the outline where there is one, as COCO counts, else of the box."""
    outlined = [sum(map(area, instance.polygons)) for instance in instances]
    return np.where(outlined, outlined, box_areas(labelled_boxes(instances))) if instances else np.zeros(0)
