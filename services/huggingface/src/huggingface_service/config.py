"""The settings of a training with transformers, beside the named fields that every framework has.

Every one of them changes what the trainer does.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from trainer_kit import common_settings
from trainer_kit import hyperparameters as kit
from trainer_kit.common_settings import setting

OPTIMIZERS = ("adamw", "sgd", "adam", "rmsprop")


class Hyperparameters(kit.Hyperparameters):
    """Settings that every task has."""

    image_size: Literal["auto"] | Annotated[int, Field(ge=32, le=2048)] = setting(
        "auto",
        "Image size",
        "Side of the square that images are resized to, rounded up to what the architecture takes. auto: the size "
        "that the weights were trained with, which is the card's input_size for those of the hub; from scratch the "
        "longest side of the images, at least 64 (128 for detection) and at most the card's input_size. Time and "
        "memory grow with its square.",
        basic=True,
        unit="px",
    )
    scheduler: common_settings.Scheduler = common_settings.scheduler()
    warmup: float = common_settings.warmup(0.1)
    final_lr: float = common_settings.final_lr()
    weight_decay: float = common_settings.weight_decay(0.01)
    momentum: float = setting(
        0.9,
        "Momentum",
        "Of sgd and rmsprop; the Adam family keeps its betas.",
        ge=0,
        lt=1,
    )
    clip_grad_norm: float = common_settings.clip_grad_norm(1.0)
    accumulation_steps: int = common_settings.accumulation_steps()
    min_crop: float = common_settings.min_crop()
    horizontal_flip: float = common_settings.horizontal_flip()
    vertical_flip: float = common_settings.vertical_flip()
    color_jitter: float = common_settings.color_jitter()
    freeze_backbone: bool = setting(
        False,
        "Train the head only",
        "Leaves the backbone as it is. Useful with pretrained weights alone.",
        basic=True,
    )
    mixed_precision: bool = setting(
        True,
        "Mixed precision",
        "Computes in bfloat16 where that is safe. On CUDA devices that have it; others always use 32 bits.",
    )
    workers: common_settings.Workers = common_settings.workers()


class LabelingHyperparameters(Hyperparameters):
    """Image classification and semantic segmentation: a label for each image, or for each pixel."""

    rotation: float = common_settings.rotation()
    label_smoothing: float = common_settings.label_smoothing()


class DetectionHyperparameters(Hyperparameters):
    """Objects one by one: detection by the DETR family, instance segmentation by Mask2Former and its like."""

    weight_decay: float = common_settings.weight_decay(1e-4)
    clip_grad_norm: float = common_settings.clip_grad_norm(0.1)
    backbone_lr: float = setting(
        1.0,
        "Backbone's learning rate",
        "Of the backbone, as a share of the learning rate; 0.1 suits a backbone with pretrained weights.",
        gt=0,
        le=1,
        unit="share of learning rate",
    )


HYPERPARAMETERS: Mapping[str, type[Hyperparameters]] = {
    "labeling": LabelingHyperparameters,
    "detection": DetectionHyperparameters,
}
"""Settings by the name that a card's `hyperparameters_ref` gives."""
