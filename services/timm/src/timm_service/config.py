"""The settings of a timm training beyond the job's named fields. Every one of them changes what the trainer does."""

from typing import Annotated, Any, Literal

from pydantic import Field

from trainer_kit import hyperparameters as kit


def setting(
    default: Any, title: str, description: str, *, basic: bool = False, unit: str | None = None, **limits: Any
) -> Any:
    """A field that a form can show: name, explanation, unit, and whether beginners see it."""
    extra: dict[str, Any] = {"group": "basic" if basic else "advanced", **({"unit": unit} if unit else {})}
    return Field(default, title=title, description=description, json_schema_extra=extra, **limits)


class Hyperparameters(kit.Hyperparameters):
    """Settings that every architecture has; `capabilities` adds those that only some have."""

    scheduler: Literal["cosine", "linear", "constant"] = setting(
        "cosine", "Learning rate schedule", "How the learning rate falls after the warm-up, step by step.", basic=True
    )
    warmup: float = setting(
        0.05,
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
        5e-4,
        "Weight decay",
        "Pull of the weights towards zero; biases and norm layers are left out. Long trainings with AdamW "
        "often take 0.05.",
        ge=0,
        le=1,
        basic=True,
    )
    momentum: float = setting(
        0.9,
        "Momentum",
        "For optimizers that have one (sgd, rmsprop, muon and their like); the Adam family keeps its betas.",
        ge=0,
        lt=1,
    )
    layer_decay: float = setting(
        1.0,
        "Layer decay",
        "Each layer learns at this share of the rate of the layer after it: 0.65 to 0.9 keeps what the first layers of "
        "a pretrained transformer know. 1 is off.",
        gt=0,
        le=1,
        unit="share of learning rate",
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
    label_smoothing: float = setting(
        0.0,
        "Label smoothing",
        "Share of the target that is spread over all classes. Validation does not use it.",
        ge=0,
        lt=1,
        basic=True,
    )
    balance_classes: bool = setting(
        False,
        "Balance classes",
        "Weighs each class's loss by its rarity among the training images. Validation does not.",
        basic=True,
    )
    balanced_sampling: bool = setting(
        False,
        "Balanced sampling",
        "Draws images so that every class is seen equally often: those of rare classes several times in an epoch, some "
        "of common ones not at all.",
        basic=True,
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
    rotation: float = setting(
        0.0,
        "Rotation",
        "Images are turned by a random angle of up to this much either way.",
        ge=0,
        le=180,
        basic=True,
        unit="degrees",
    )
    color_jitter: float = setting(
        0.1,
        "Colour jitter",
        "How far brightness, contrast and saturation are changed at random.",
        ge=0,
        le=1,
        basic=True,
    )
    auto_augment: Literal["none", "randaugment", "trivialaugment", "autoaugment", "augmix"] = setting(
        "none",
        "Automatic augmentation",
        "A ready-made policy of random distortions, in addition to the others.",
    )
    random_erasing: float = setting(
        0.0, "Random erasing", "Chance that a random rectangle of the image is blanked.", ge=0, le=1, unit="probability"
    )
    mixup: float = setting(
        0.0,
        "Mixup",
        "Strength (alpha) of blending pairs of images and labels; 0 is off. With CutMix, each batch takes "
        "one of the two.",
        ge=0,
        le=10,
        unit="alpha",
    )
    cutmix: float = setting(
        0.0,
        "CutMix",
        "Strength (alpha) of pasting a part of one image into another; 0 is off.",
        ge=0,
        le=10,
        unit="alpha",
    )
    ema_decay: float = setting(
        0.0,
        "Weight averaging",
        "Decay of a running average of the weights, such as 0.999, which is then what is validated; 0 is off. "
        "It needs many hundreds of steps.",
        ge=0,
        lt=1,
    )
    freeze_backbone: bool = setting(
        False,
        "Train the classifier only",
        "Leaves all other weights as they are. Useful with pretrained weights alone.",
        basic=True,
    )
    pretrained_tag: str = setting(
        "",
        "Pretrained weights",
        "Which of the card's pretrained_tags to start from; empty takes the first. Used only when the job "
        "starts from pretrained weights.",
        max_length=100,
    )
    mixed_precision: bool = setting(
        True,
        "Mixed precision",
        "Computes in 16 bits where that is safe. On CUDA only; other devices always use 32 bits.",
    )
    channels_last: bool = setting(
        False,
        "Channels last",
        "Keeps images and convolutions in memory with the channels last: often faster with mixed precision on CUDA.",
    )
    workers: Literal["auto"] | Annotated[int, Field(ge=0, le=64)] = setting(
        "auto",
        "Data workers",
        "Processes that read images. auto: none on the CPU, which is busy training, else up to 8. The result "
        "does not depend on it.",
        unit="processes",
    )
