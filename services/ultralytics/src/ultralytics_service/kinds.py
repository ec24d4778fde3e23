"""The kinds of network that the library trains, named as it names its tasks, and what each is for."""

from enum import StrEnum

from vision_contracts import TaskType


class Kind(StrEnum):
    """Decides the trainer, the layout of the labels, the settings and the metrics."""

    DETECT = "detect"
    RTDETR = "rtdetr"
    SEGMENT = "segment"
    POSE = "pose"
    OBB = "obb"
    SEMANTIC = "semantic"
    CLASSIFY = "classify"

    @property
    def task_type(self) -> TaskType:
        """The platform's task of this kind."""
        return _TASK_TYPES[self]


_TASK_TYPES = {
    Kind.DETECT: TaskType.OBJECT_DETECTION,
    Kind.RTDETR: TaskType.OBJECT_DETECTION,
    Kind.SEGMENT: TaskType.INSTANCE_SEGMENTATION,
    Kind.POSE: TaskType.POSE_ESTIMATION,
    Kind.OBB: TaskType.ORIENTED_OBJECT_DETECTION,
    Kind.SEMANTIC: TaskType.SEMANTIC_SEGMENTATION,
    Kind.CLASSIFY: TaskType.IMAGE_CLASSIFICATION,
}

KIND_OF_HEAD = {
    "Detect": Kind.DETECT,
    "v10Detect": Kind.DETECT,
    "RTDETRDecoder": Kind.RTDETR,
    "Segment": Kind.SEGMENT,
    "Segment26": Kind.SEGMENT,
    "Pose": Kind.POSE,
    "Pose26": Kind.POSE,
    "OBB": Kind.OBB,
    "OBB26": Kind.OBB,
    "SemanticSegment": Kind.SEMANTIC,
    "Classify": Kind.CLASSIFY,
}
"""Kinds by the last layer of an architecture's YAML.

Left out are open-vocabulary heads (YOLO-World, YOLOE), which need a text encoder from a hub, and depth estimation, for
which the platform has no task.
"""
