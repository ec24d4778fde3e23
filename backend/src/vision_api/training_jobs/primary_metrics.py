"""The one number by which two trainings of a task are compared."""

from collections.abc import Mapping

from vision_contracts import TaskType, metric_names

PRIMARY_METRICS: Mapping[str, str] = {
    TaskType.IMAGE_CLASSIFICATION: metric_names.VAL_ACCURACY,
    TaskType.OBJECT_DETECTION: metric_names.VAL_MAP50_95,
    TaskType.INSTANCE_SEGMENTATION: metric_names.VAL_MAP50_95,
    TaskType.POSE_ESTIMATION: metric_names.VAL_MAP50_95,
    TaskType.ORIENTED_OBJECT_DETECTION: metric_names.VAL_MAP50_95,
    TaskType.SEMANTIC_SEGMENTATION: metric_names.VAL_MIOU,
}
"""All of them are better the larger they are."""
