"""Tasks of models, and formats of data sets."""

from enum import StrEnum


class TaskType(StrEnum):
    """Task that a model is trained for. A data set, a model card and a job each name theirs."""

    IMAGE_CLASSIFICATION = "image_classification"
    OBJECT_DETECTION = "object_detection"
    INSTANCE_SEGMENTATION = "instance_segmentation"
    SEMANTIC_SEGMENTATION = "semantic_segmentation"
    POSE_ESTIMATION = "pose_estimation"
    ORIENTED_OBJECT_DETECTION = "oriented_object_detection"


class DatasetFormat(StrEnum):
    """The layouts that the data kit reads; `auto` is detected from the content."""

    AUTO = "auto"
    IMAGEFOLDER = "imagefolder"
    YOLO = "yolo"
    COCO = "coco"
    VOC = "voc"
