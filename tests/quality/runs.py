"""Trainings that are compared: small enough for two cores, long enough to learn something."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

CLASSIFY, DETECT, INSTANCES = "image_classification", "object_detection", "instance_segmentation"
SEMANTIC, POSE, ORIENTED = "semantic_segmentation", "pose_estimation", "oriented_object_detection"

STILL = {"horizontal_flip": 0.0, "vertical_flip": 0.0}
"""Hyper-parameters without flips, for data whose mirror image means something else."""


@dataclass(frozen=True)
class Run:
    """A model on a data set. `hyperparameters` are the platform's; the bare script translates them."""

    framework: str
    task_type: str
    model: str
    dataset: str
    epochs: int
    image_size: int
    batch_size: int
    learning_rate: float
    metric: str
    optimizer: str = "adamw"
    seed: int = 0
    pretrained: bool = False
    """Training starts from the library's weights instead of random ones."""
    hyperparameters: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        weights = " pretrained" if self.pretrained else ""
        return f"{self.framework} {self.task_type} {self.model}{weights} on {self.dataset}, seed {self.seed}"

    def seeds(self, number: int) -> Iterator["Run"]:
        """Return the run with several seeds."""
        return (replace(self, seed=seed) for seed in range(number))


RUNS = (
    *Run("timm", CLASSIFY, "resnet10t", "digits", 8, 32, 16, 1e-3, "val/accuracy",
         hyperparameters=STILL).seeds(8),
    Run("timm", CLASSIFY, "tf_efficientnet_lite0", "trashnet_tiny", 10, 96, 8, 1e-3, "val/accuracy"),
    *Run("ultralytics", CLASSIFY, "yolov8n-cls", "digits", 10, 32, 16, 1e-3, "val/accuracy",
         hyperparameters=STILL).seeds(4),
    Run("ultralytics", DETECT, "yolo11n", "coins_tiny_det", 60, 128, 8, 2e-3, "val/map50"),
    Run("ultralytics", INSTANCES, "yolo11n-seg", "coins_tiny_seg", 60, 128, 8, 2e-3, "val/map50"),
    Run("ultralytics", ORIENTED, "yolo11n-obb", "coins_tiny_obb", 60, 128, 8, 2e-3, "val/map50"),
    Run("ultralytics", POSE, "yolo11n-pose", "mirror_mouse_pose", 100, 128, 8, 2e-3, "val/map50",
        hyperparameters=STILL),
    *Run("huggingface", CLASSIFY, "google/mobilenet_v2_0.35_96", "digits", 10, 32, 16, 1e-3, "val/accuracy",
         hyperparameters=STILL).seeds(8),
    Run("huggingface", SEMANTIC, "nvidia/segformer-b0-finetuned-ade-512-512", "coins_tiny_seg", 15, 128, 4, 3e-4,
        "val/miou"),
    *Run("ultralytics", SEMANTIC, "yolo26n-sem", "coins_tiny_seg", 20, 128, 8, 2e-3, "val/miou").seeds(6),
    *Run("timm", CLASSIFY, "tf_efficientnet_lite0", "trashnet", 2, 128, 32, 1e-3, "val/accuracy",
         pretrained=True).seeds(3),
    Run("timm", CLASSIFY, "tf_efficientnet_lite0", "trashnet", 2, 128, 32, 1e-3, "val/accuracy"),
    *Run("huggingface", DETECT, "PekingU/rtdetr_v2_r18vd", "coins_tiny_det", 30, 128, 4, 3e-4, "val/map50").seeds(2),
    Run("huggingface", INSTANCES, "facebook/maskformer-swin-tiny-coco", "coins_tiny_seg", 20, 128, 4, 2e-4,
        "val/map50"),
    *Run("huggingface", SEMANTIC, "nvidia/segformer-b0-finetuned-ade-512-512", "nuclei_tiny", 20, 256, 4, 3e-4,
         "val/miou").seeds(3),
    Run("ultralytics", INSTANCES, "yolo11n-seg", "nuclei_tiny", 40, 256, 4, 2e-3, "val/map50"),
    Run("ultralytics", DETECT, "yolo11n", "bccd", 12, 256, 8, 2e-3, "val/map50"),
    *Run("ultralytics", CLASSIFY, "yolov8n-cls", "trashnet", 3, 128, 32, 1e-3, "val/accuracy").seeds(4),
    Run("huggingface", CLASSIFY, "microsoft/resnet-18", "trashnet", 2, 96, 32, 1e-3, "val/accuracy"),
    *Run("huggingface", DETECT, "hustvl/yolos-tiny", "coins_tiny_det", 30, 128, 4, 3e-4, "val/map50").seeds(6),
)  # fmt: skip
"""All runs, in the order in which they are trained."""
