"""Names of metrics that mean the same in every framework. A framework's own are named `<framework>/…`."""

from collections.abc import Mapping

from vision_contracts.tasks import TaskType

TRAIN_LOSS = "train/loss"
VAL_LOSS = "val/loss"
VAL_ACCURACY = "val/accuracy"
VAL_MAP50_95 = "val/map50_95"
VAL_MAP50 = "val/map50"
VAL_MIOU = "val/miou"
LEARNING_RATE = "lr"
EPOCH_SECONDS = "time/epoch_seconds"

UNITS = {EPOCH_SECONDS: "s"}

PRIMARY: Mapping[str, str] = {
    TaskType.IMAGE_CLASSIFICATION: VAL_ACCURACY,
    TaskType.OBJECT_DETECTION: VAL_MAP50_95,
    TaskType.INSTANCE_SEGMENTATION: VAL_MAP50_95,
    TaskType.POSE_ESTIMATION: VAL_MAP50_95,
    TaskType.ORIENTED_OBJECT_DETECTION: VAL_MAP50_95,
    TaskType.SEMANTIC_SEGMENTATION: VAL_MIOU,
}
"""The metric of each task that two checkpoints or trainings are compared by. Higher is better."""
