"""Evaluators that compute the metrics of every framework from its predictions. They need numpy only."""

from trainer_kit.evaluation.base import Evaluator
from trainer_kit.evaluation.classification import ClassificationEvaluator, TopPrediction
from trainer_kit.evaluation.detection import DetectionEvaluator
from trainer_kit.evaluation.gallery import Gallery, GalleryImage
from trainer_kit.evaluation.history import History
from trainer_kit.evaluation.objects import Detections, ObjectEvaluator
from trainer_kit.evaluation.overlaps import (
    box_areas,
    box_overlaps,
    corner_overlaps,
    keypoint_overlaps,
    mask_overlaps,
)
from trainer_kit.evaluation.segmentation import SegmentationEvaluator
from trainer_kit.evaluation.truth import BACKGROUND, IGNORED, MaskGrid, as_one_class, label_map, label_names

__all__ = [
    "BACKGROUND",
    "IGNORED",
    "ClassificationEvaluator",
    "DetectionEvaluator",
    "Detections",
    "Evaluator",
    "Gallery",
    "GalleryImage",
    "History",
    "MaskGrid",
    "ObjectEvaluator",
    "SegmentationEvaluator",
    "TopPrediction",
    "as_one_class",
    "box_areas",
    "box_overlaps",
    "corner_overlaps",
    "keypoint_overlaps",
    "label_map",
    "label_names",
    "mask_overlaps",
]
