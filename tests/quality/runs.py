"""What is trained: small enough for two cores, long enough to learn something."""

from dataclasses import dataclass, field
from typing import Any

CLASSIFY, DETECT, INSTANCES = "image_classification", "object_detection", "instance_segmentation"
SEMANTIC, POSE = "semantic_segmentation", "pose_estimation"

STILL = {"horizontal_flip": 0.0, "vertical_flip": 0.0}
"""For digits and for views of which none is the mirror image of another."""


@dataclass(frozen=True)
class Run:
    """One model on one data set. `hyperparameters` are the platform's; the bare script puts them in its own words."""

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
    hyperparameters: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.framework} {self.task_type} {self.model} on {self.dataset}"


RUNS = (
    Run("timm", CLASSIFY, "resnet10t", "digits_tiny", 8, 32, 16, 1e-3, "val/accuracy", hyperparameters=STILL),
    Run("timm", CLASSIFY, "tf_efficientnet_lite0", "trashnet_tiny", 10, 96, 8, 1e-3, "val/accuracy"),
    Run("huggingface", CLASSIFY, "google/mobilenet_v2_0.35_96", "digits_tiny", 10, 32, 16, 1e-3, "val/accuracy",
        hyperparameters=STILL),
    Run("ultralytics", CLASSIFY, "yolov8n-cls", "digits_tiny", 10, 32, 16, 1e-3, "val/accuracy",
        hyperparameters=STILL),
    Run("ultralytics", DETECT, "yolo11n", "coins_tiny_det", 60, 128, 8, 2e-3, "val/map50"),
    Run("ultralytics", INSTANCES, "yolo11n-seg", "coins_tiny_seg", 60, 128, 8, 2e-3, "val/map50"),
    Run("ultralytics", POSE, "yolo11n-pose", "mirror_mouse_pose", 15, 128, 8, 2e-3, "val/map50",
        hyperparameters=STILL),
    Run("huggingface", SEMANTIC, "nvidia/segformer-b0-finetuned-ade-512-512", "coins_tiny_seg", 10, 128, 4, 3e-4,
        "val/miou"),
    Run("huggingface", DETECT, "hustvl/yolos-tiny", "coins_tiny_det", 30, 128, 4, 3e-4, "val/map50"),
    Run("ultralytics", INSTANCES, "yolo11n-seg", "nuclei_tiny", 60, 256, 4, 2e-3, "val/map50"),
    Run("ultralytics", DETECT, "yolo11n", "bccd", 8, 320, 16, 2e-3, "val/map50"),
    Run("timm", CLASSIFY, "tf_efficientnet_lite0", "trashnet", 2, 128, 32, 1e-3, "val/accuracy"),
)  # fmt: skip
"""The quickest first."""
