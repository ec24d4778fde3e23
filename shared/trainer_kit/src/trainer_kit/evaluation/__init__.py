"""The one evaluator: predictions of any framework in, metrics and a report out. Numpy only."""

from trainer_kit.evaluation.base import Evaluator
from trainer_kit.evaluation.classification import ClassificationEvaluator, Guess
from trainer_kit.evaluation.detection import DetectionEvaluator
from trainer_kit.evaluation.gallery import Gallery, Shown
from trainer_kit.evaluation.history import History
from trainer_kit.evaluation.label_maps import BACKGROUND, IGNORED, label_map
from trainer_kit.evaluation.objects import Found, Grid, ObjectEvaluator
from trainer_kit.evaluation.overlaps import (
    box_areas,
    box_overlaps,
    corner_overlaps,
    keypoint_overlaps,
    mask_overlaps,
)
from trainer_kit.evaluation.segmentation import SegmentationEvaluator

__all__ = [
    "BACKGROUND",
    "IGNORED",
    "ClassificationEvaluator",
    "DetectionEvaluator",
    "Evaluator",
    "Found",
    "Gallery",
    "Grid",
    "Guess",
    "History",
    "ObjectEvaluator",
    "SegmentationEvaluator",
    "Shown",
    "box_areas",
    "box_overlaps",
    "corner_overlaps",
    "keypoint_overlaps",
    "label_map",
    "mask_overlaps",
]
