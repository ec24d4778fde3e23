"""From an image's labels and what was found in it, both in pixels of the upright image, to how they overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from data_kit import Instance, Sample
from data_kit.geometry import area
from data_kit.masks import fill_polygons
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
from vision_contracts import TaskType

MOST_DRAWN = 20
"""Objects of one image in a picture."""

MAX_POSES = 20
"""Per image, as COCO takes for keypoints."""

SHARE_OF_BOX = 0.53
"""How much of its box a person fills, for the scale of keypoints where there is no outline (xtcocotools)."""

PERSON_SIGMAS = (
    np.array([0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89])
    / 10
)
"""Of COCO's 17 keypoints."""


@dataclass(frozen=True)
class Grid:
    """Cells laid over an image, for masks: the point x, y of the image is at x * scale + offset in cells."""

    width: int
    height: int
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)

    def fill(self, instance: Instance) -> Bools:
        """(height, width): the cells whose centre lies in the object's outline."""
        outlines = [np.reshape(polygon, (-1, 2)) * self.scale + self.offset for polygon in instance.polygons]
        return fill_polygons([tuple(outline.ravel().tolist()) for outline in outlines], self.width, self.height)


@dataclass(frozen=True)
class Found:
    """The n objects that a network has found in one image. What a task does not measure stays empty."""

    scores: Floats
    classes: Ints
    boxes: Floats
    """(n, 4): `x1, y1, x2, y2`."""
    masks: Bools = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=np.bool_))
    """(n, height, width) in cells of `grid`."""
    grid: Grid | None = None
    keypoints: Floats = field(default_factory=lambda: np.zeros((0, 0, 2)))
    """(n, k, 2 or more): x, y."""
    corners: Floats = field(default_factory=lambda: np.zeros((0, 4, 2)))
    """(n, 4, 2): x, y, in order around the object."""

    def surest(self) -> "Found":
        """What is worth drawing: with a score that counts, and not too many."""
        shown = np.argsort(-self.scores, kind="stable")[:MOST_DRAWN]
        shown = shown[self.scores[shown] >= CONFUSION_SCORE]
        measured = ("scores", "classes", "boxes", "masks", "keypoints", "corners")
        return replace(self, **{name: getattr(self, name)[shown] for name in measured if len(getattr(self, name))})


class ObjectEvaluator(DetectionEvaluator):
    """Measures what was found against the labels of the data set itself, whatever the network was shown of them.

    The task decides what must overlap: boxes, masks, keypoints or oriented boxes. A prediction in the gallery is a
    `Found`.
    """

    def __init__(self, class_names: Sequence[str], task_type: TaskType) -> None:
        is_pose = task_type is TaskType.POSE_ESTIMATION
        super().__init__(class_names, max_detections=MAX_POSES if is_pose else MAX_DETECTIONS)
        self._task_type = task_type

    def add(self, sample: Sample, found: Found) -> None:
        """One image."""
        instances = sample.instances
        crowd = np.array([instance.is_crowd for instance in instances], dtype=bool)
        true_classes = np.array([instance.class_id for instance in instances], dtype=np.int64)
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
        self.gallery.offer(sample, found.surest(), mistake if mistake >= CONFUSION_SCORE else 0.0)

    def _compare(
        self, instances: Sequence[Instance], found: Found, crowd: Bools
    ) -> tuple[Floats, Floats, Bools | None]:
        """Overlaps (n, m), areas (n,) of what was found, and labels that need not be found."""
        match self._task_type:
            case TaskType.INSTANCE_SEGMENTATION if found.grid is not None:
                labelled = np.array([found.grid.fill(instance) for instance in instances], dtype=np.bool_)
                labelled = labelled.reshape(-1, found.grid.height, found.grid.width)
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
                labelled = np.array([instance.corners for instance in instances], dtype=np.float64).reshape(-1, 4, 2)
                return corner_overlaps(found.corners, labelled), corner_areas(found.corners), None
            case _:
                overlap = box_overlaps(found.boxes, labelled_boxes(instances), crowd)
                return overlap, box_areas(found.boxes), None


def labelled_boxes(instances: Sequence[Instance]) -> NDArray[np.float64]:
    """(m, 4): `x1, y1, x2, y2`."""
    return np.array([instance.box for instance in instances], dtype=np.float64).reshape(-1, 4)


def labelled_keypoints(instances: Sequence[Instance], count: int) -> NDArray[np.float64]:
    """(m, count, 3): x, y, visibility; zeros where an object has none."""
    missing = ((0.0, 0.0, 0),) * count
    points = [instance.keypoints or missing for instance in instances]
    return np.array(points, dtype=np.float64).reshape(-1, count, 3)


def keypoint_sigmas(count: int) -> NDArray[np.float64]:
    """How exactly each keypoint can be placed: COCO's for 17, which are those of a person; else 1 / count, since
    nobody has measured them.
    """
    return PERSON_SIGMAS if count == len(PERSON_SIGMAS) else np.full(count, 1 / max(count, 1))


def labelled_areas(instances: Sequence[Instance], share_of_box: float = 1.0) -> NDArray[np.float64]:
    """Of the outline where there is one, as COCO counts, else a share of the box."""
    outlined = np.array([sum(map(area, instance.polygons)) for instance in instances])
    return np.where(outlined > 0, outlined, box_areas(labelled_boxes(instances)) * share_of_box)
