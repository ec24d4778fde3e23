"""The settings of a training with transformers, beside the named fields that every framework has.

Every one of them changes what the trainer does.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.config import JsonDict

from trainer_kit import hyperparameters as kit

OPTIMIZERS = ("adamw", "sgd", "adam", "rmsprop")


def setting(
    default: Any, title: str, description: str, *, basic: bool = False, unit: str | None = None, **limits: Any
) -> Any:
    """A field that a form can show: name, explanation, unit, and whether beginners see it."""
    extra: JsonDict = {"group": "basic" if basic else "advanced", **({"unit": unit} if unit else {})}
    return Field(default, title=title, description=description, json_schema_extra=extra, **limits)


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
    scheduler: Literal["cosine", "linear", "constant"] = setting(
        "cosine",
        "Learning rate schedule",
        "How the learning rate falls after the warm-up, step by step.",
        basic=True,
    )
    warmup: float = setting(
        0.1,
        "Warm-up",
        "Share of all steps in which the learning rate rises evenly from zero to its full value.",
        ge=0,
        le=0.5,
        basic=True,
        unit="share of training",
    )
    final_lr: float = setting(
        0.01,
        "Final learning rate",
        "Where the schedule ends, as a share of the learning rate. A constant schedule does not use it.",
        ge=0,
        le=1,
        unit="share of learning rate",
    )
    weight_decay: float = setting(
        0.01,
        "Weight decay",
        "Pull of the weights towards zero; biases and norm layers are left out.",
        ge=0,
        le=1,
        basic=True,
    )
    momentum: float = setting(
        0.9,
        "Momentum",
        "Of sgd and rmsprop; the Adam family keeps its betas.",
        ge=0,
        lt=1,
    )
    clip_grad_norm: float = setting(
        1.0,
        "Gradient clipping",
        "Largest norm of the gradient of all weights together; 0 does not clip.",
        ge=0,
        le=1000,
    )
    accumulation_steps: int = setting(
        1,
        "Gradient accumulation",
        "Batches whose gradients make one optimizer step: the effect of a larger batch in less memory.",
        ge=1,
        le=1024,
        unit="batches",
    )
    min_crop: float = setting(
        0.6,
        "Smallest crop",
        "Random crops show at least this share of the image's area; 1 shows all of it.",
        gt=0,
        le=1,
        basic=True,
        unit="share of area",
    )
    horizontal_flip: float = setting(
        0.5,
        "Horizontal flip",
        "Chance that an image is mirrored. Set 0 where left and right mean something, as in text.",
        ge=0,
        le=1,
        basic=True,
        unit="probability",
    )
    vertical_flip: float = setting(
        0.0,
        "Vertical flip",
        "Chance that an image is turned upside down; useful for views from above.",
        ge=0,
        le=1,
        basic=True,
        unit="probability",
    )
    color_jitter: float = setting(
        0.1,
        "Colour jitter",
        "How far brightness, contrast and saturation are changed at random.",
        ge=0,
        le=1,
        basic=True,
    )
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
    workers: Literal["auto"] | Annotated[int, Field(ge=0, le=64)] = setting(
        "auto",
        "Data workers",
        "Processes that read images. auto: none on the CPU, which is busy training, else up to 8. The result does "
        "not depend on it.",
        unit="processes",
    )


class LabelingHyperparameters(Hyperparameters):
    """Image classification and semantic segmentation: a label for each image, or for each pixel."""

    rotation: float = setting(
        0.0,
        "Rotation",
        "Images are turned by a random angle of up to this much either way.",
        ge=0,
        le=180,
        basic=True,
        unit="degrees",
    )
    label_smoothing: float = setting(
        0.0,
        "Label smoothing",
        "Share of the target that is spread over all classes. Validation does not use it.",
        ge=0,
        lt=1,
        basic=True,
    )


class DetectionHyperparameters(Hyperparameters):
    """Objects one by one: detection by the DETR family, instance segmentation by Mask2Former and its like."""

    weight_decay: float = setting(
        1e-4,
        "Weight decay",
        "Pull of the weights towards zero; biases and norm layers are left out.",
        ge=0,
        le=1,
        basic=True,
    )
    clip_grad_norm: float = setting(
        0.1,
        "Gradient clipping",
        "Largest norm of the gradient of all weights together; 0 does not clip.",
        ge=0,
        le=1000,
    )
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
