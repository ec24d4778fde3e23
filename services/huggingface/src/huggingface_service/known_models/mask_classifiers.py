"""Mask2Former and MaskFormer with a Swin backbone, for instance segmentation."""

from collections.abc import Iterator
from typing import Any

from huggingface_service.known_models.base import HubCheckpoint
from vision_contracts import TaskType

COCO = {"num_labels": 80}
COCO_PANOPTIC = {"num_labels": 133}

_SWINS = {
    "tiny": (96, 6, 3, 7, 224),
    "small": (96, 18, 3, 7, 224),
    "base": (128, 18, 4, 12, 384),
    "large": (192, 18, 6, 12, 384),
}
"""Width, blocks of the third stage, heads of the first, side of the attention windows, side of the image."""


def _backbone(size: str) -> dict[str, Any]:
    width, blocks, heads, window, image = _SWINS[size]
    return {
        "model_type": "swin",
        "embed_dim": width,
        "depths": [2, 2, blocks, 2],
        "num_heads": [heads * 2**stage for stage in range(4)],
        "window_size": window,
        "image_size": image,
        "drop_path_rate": 0.3,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    }


def _checkpoints() -> Iterator[HubCheckpoint]:
    for size in _SWINS:
        backbone = {"backbone_config": _backbone(size)}
        queries = {"num_queries": 200} if size == "large" else {}
        yield _mask_classifier(
            f"facebook/mask2former-swin-{size}-coco-instance", "mask2former", backbone | queries | COCO
        )
        yield _mask_classifier(f"facebook/maskformer-swin-{size}-coco", "maskformer", backbone | COCO_PANOPTIC)


def _mask_classifier(hub_id: str, model_type: str, config: dict[str, Any]) -> HubCheckpoint:
    return HubCheckpoint(hub_id, model_type, TaskType.INSTANCE_SEGMENTATION, config, 384, "other")


MASK_CLASSIFIERS: tuple[HubCheckpoint, ...] = tuple(_checkpoints())
