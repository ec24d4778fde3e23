"""Differences between tasks: labels, loss and measure. The rest of a training is the same for all of them."""

from huggingface_service.tasks.base import Measure, Task
from huggingface_service.tasks.classification import ImageClassification
from huggingface_service.tasks.detection import ObjectDetection
from huggingface_service.tasks.instances import InstanceSegmentation
from huggingface_service.tasks.segmentation import SemanticSegmentation
from vision_contracts import TaskType

TASKS: dict[TaskType, type[Task]] = {
    TaskType.IMAGE_CLASSIFICATION: ImageClassification,
    TaskType.OBJECT_DETECTION: ObjectDetection,
    TaskType.SEMANTIC_SEGMENTATION: SemanticSegmentation,
    TaskType.INSTANCE_SEGMENTATION: InstanceSegmentation,
}

__all__ = ["TASKS", "Measure", "Task"]
