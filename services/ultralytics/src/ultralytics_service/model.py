"""Networks built outside of a trainer, to count their parameters or to copy their weights."""

from ultralytics_service.architectures import Architecture
from ultralytics_service.kinds import Kind
from ultralytics_service.library import tasks, torch

_CLASSES = {
    Kind.DETECT: tasks.DetectionModel,
    Kind.RTDETR: tasks.RTDETRDetectionModel,
    Kind.SEGMENT: tasks.SegmentationModel,
    Kind.POSE: tasks.PoseModel,
    Kind.OBB: tasks.OBBModel,
    Kind.SEMANTIC: tasks.SemanticSegmentationModel,
    Kind.CLASSIFY: tasks.ClassificationModel,
}


def build_model(
    architecture: Architecture,
    *,
    num_classes: int | None = None,
    keypoint_shape: tuple[int, int] | None = None,
) -> torch.nn.Module:
    """Build a network with random weights; without `num_classes`, with as many as its description says."""
    options = {"data_kpt_shape": keypoint_shape} if keypoint_shape else {}
    return _CLASSES[architecture.kind](architecture.read(), nc=num_classes, verbose=False, **options)
