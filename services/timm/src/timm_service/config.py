"""The settings of a timm training beyond the job's named fields. Every one of them changes what the trainer does."""

from typing import Literal

from trainer_kit import common_settings
from trainer_kit import hyperparameters as kit
from trainer_kit.common_settings import setting


class Hyperparameters(kit.Hyperparameters):
    """Settings that every architecture has; `capabilities` adds those that only some have."""

    scheduler: common_settings.Scheduler = common_settings.scheduler()
    warmup: float = common_settings.warmup(0.05)
    final_lr: float = common_settings.final_lr()
    weight_decay: float = common_settings.weight_decay(5e-4, advice="Long trainings with AdamW often take 0.05.")
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
    clip_grad_norm: float = common_settings.clip_grad_norm(1.0)
    accumulation_steps: int = common_settings.accumulation_steps()
    label_smoothing: float = common_settings.label_smoothing()
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
    min_crop: float = common_settings.min_crop()
    horizontal_flip: float = common_settings.horizontal_flip()
    vertical_flip: float = common_settings.vertical_flip()
    rotation: float = common_settings.rotation()
    color_jitter: float = common_settings.color_jitter()
    auto_augment: Literal["none", "randaugment", "trivialaugment", "autoaugment", "augmix"] = setting(
        "none",
        "Automatic augmentation",
        "A ready-made policy of random distortions, in addition to the others.",
    )
    random_erasing: float = common_settings.random_erasing(le=1)
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
    workers: common_settings.Workers = common_settings.workers()
