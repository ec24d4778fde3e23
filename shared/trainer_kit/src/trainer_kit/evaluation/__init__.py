"""The one evaluator: predictions of any framework in, metrics and a report out. Numpy only."""

from trainer_kit.evaluation.base import Evaluator
from trainer_kit.evaluation.classification import ClassificationEvaluator
from trainer_kit.evaluation.detection import DetectionEvaluator
from trainer_kit.evaluation.history import History
from trainer_kit.evaluation.objects import Found, ObjectEvaluator
from trainer_kit.evaluation.overlaps import box_areas, box_overlaps, keypoint_overlaps, mask_overlaps
from trainer_kit.evaluation.segmentation import IGNORED, SegmentationEvaluator

__all__ = [
    "IGNORED",
    "ClassificationEvaluator",
    "DetectionEvaluator",
    "Evaluator",
    "Found",
    "History",
    "ObjectEvaluator",
    "SegmentationEvaluator",
    "box_areas",
    "box_overlaps",
    "keypoint_overlaps",
    "mask_overlaps",
]
