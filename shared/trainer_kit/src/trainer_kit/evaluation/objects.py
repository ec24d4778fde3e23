"""Detections of one image, and the evaluator that compares them with its labels, for every task with objects."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from data_kit import Instance, Sample
from trainer_kit.evaluation.base import Bools, Floats, Ints
from trainer_kit.evaluation.detection import CONFUSION_OVERLAP, CONFUSION_SCORE, MAX_DETECTIONS, DetectionEvaluator
from trainer_kit.evaluation.overlaps import (
    box_areas,
    box_overlaps,
    corner_areas,
    corner_overlaps,
    flat,
    keypoint_overlaps,
    mask_overlaps,
)
from trainer_kit.evaluation.truth import (
    MaskGrid,
    keypoint_sigmas,
    labelled_areas,
    labelled_boxes,
    labelled_classes,
    labelled_corners,
    labelled_crowds,
    labelled_keypoints,
    labelled_masks,
)
from vision_contracts import TaskType

MOST_DRAWN = 20
"""Limit of the detections that are drawn into an image."""

MAX_POSES = 20
"""Limit per image, as COCO takes for keypoints."""

SHARE_OF_BOX = 0.53
"""Share of its box that a person fills, for the scale of keypoints where there is no outline (xtcocotools)."""


@dataclass(frozen=True)
class Detections:
    """The n objects that a network found in one image, in pixels of the upright image. Fields that the task does not
    have stay empty.
    """

    scores: Floats
    """(n,), from 0 to 1."""
    classes: Ints
    """(n,) class ids of the data set."""
    boxes: Floats
    """(n, 4): `x1, y1, x2, y2`."""
    masks: Bools = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=np.bool_))
    """(n, height, width) in cells of `grid`."""
    grid: MaskGrid | None = None
    keypoints: Floats = field(default_factory=lambda: np.zeros((0, 0, 2)))
    """(n, k, 2 or more): x, y."""
    corners: Floats = field(default_factory=lambda: np.zeros((0, 4, 2)))
    """(n, 4, 2): x, y, in order around the object."""

    def most_confident(self) -> "Detections":
        """Return the best detections with a score that counts in the confusion matrix, at most MOST_DRAWN, to draw."""
        shown = np.argsort(-self.scores, kind="stable")[:MOST_DRAWN]
        shown = shown[self.scores[shown] >= CONFUSION_SCORE]
        arrays = ("scores", "classes", "boxes", "masks", "keypoints", "corners")
        return replace(self, **{name: getattr(self, name)[shown] for name in arrays if len(getattr(self, name))})


class ObjectEvaluator(DetectionEvaluator):
    """Compares detections with the labels of the data set itself, not with those that the network was given.

    The task decides the overlap: of boxes, masks, keypoints or oriented boxes.
    """

    def __init__(self, class_names: Sequence[str], task_type: TaskType) -> None:
        is_pose = task_type is TaskType.POSE_ESTIMATION
        super().__init__(class_names, max_detections=MAX_POSES if is_pose else MAX_DETECTIONS)
        self._task_type = task_type

    def add(self, sample: Sample, found: Detections) -> None:
        """Add an image and its detections, whose best ones go into the gallery as `Detections`."""
        instances = sample.instances
        crowd, true_classes = labelled_crowds(instances), labelled_classes(instances)
        overlap, areas, ignored = self._compare(instances, found, crowd)
        self.update(
            overlap,
            scores=found.scores,
            classes=found.classes,
            areas=areas,
            true_classes=true_classes,
            true_areas=labelled_areas(instances),
            crowd=crowd,
            ignored=ignored,
        )
        same = np.equal(found.classes[:, None], true_classes[None, :])
        wrong = np.where(same, overlap, 0.0).max(1, initial=0.0) < CONFUSION_OVERLAP
        mistake = float(found.scores[wrong].max(initial=0.0))
        self.gallery.offer(sample, found.most_confident(), mistake if mistake >= CONFUSION_SCORE else 0.0)

    def _compare(
        self, instances: Sequence[Instance], found: Detections, crowd: Bools
    ) -> tuple[Floats, Floats, Bools | None]:
        """Return overlaps (n, m), areas (n,) of the detections, and the labels that need not be found (m,), if any."""
        match self._task_type:
            case TaskType.INSTANCE_SEGMENTATION if found.grid is not None:
                labelled = labelled_masks(instances, found.grid)
                cell = found.grid.scale[0] * found.grid.scale[1]
                areas = flat(found.masks).sum(1) / cell
                return mask_overlaps(found.masks, labelled, crowd), areas, None
            case TaskType.POSE_ESTIMATION:
                points = labelled_keypoints(instances, found.keypoints.shape[1])
                boxes, scales = labelled_boxes(instances), labelled_areas(instances, share_of_box=SHARE_OF_BOX)
                overlap = keypoint_overlaps(found.keypoints, points, boxes, scales, keypoint_sigmas(points.shape[1]))
                placed: Bools = np.logical_or.reduce(np.greater(points[..., 2], 0), axis=1)
                return overlap, box_areas(found.boxes), ~placed
            case TaskType.ORIENTED_OBJECT_DETECTION:
                return corner_overlaps(found.corners, labelled_corners(instances)), corner_areas(found.corners), None
            case _:
                overlap = box_overlaps(found.boxes, labelled_boxes(instances), crowd)
                return overlap, box_areas(found.boxes), None
