"""The settings that several kinds of network have."""

from typing import Annotated, Literal

from pydantic import Field

from trainer_kit import common_settings
from trainer_kit.common_settings import setting
from trainer_kit.hyperparameters import Hyperparameters
from ultralytics_service.config.fields import share

ImageSize = Literal["auto"] | Annotated[int, Field(ge=32, le=4096, multiple_of=32)]


class CommonHyperparameters(Hyperparameters):
    """Settings that every kind of network has."""

    image_size: ImageSize = setting(
        "auto",
        "Image size",
        "Side of the square that images are scaled to (the library's `imgsz`). `auto` takes the longest side of the "
        "data set's images, rounded up to a multiple of 32: from 128 to 640, for classification from 64 to 224.",
        basic=True,
        unit="px",
    )
    freeze: int = setting(
        0,
        "Frozen layers",
        "How many of the first layers keep their initial weights. For fine-tuning.",
        basic=True,
        ge=0,
        le=100,
    )
    patience: int = setting(
        0,
        "Patience",
        "Ends training after this many epochs without a better primary metric; 0 never does.",
        section="schedule",
        unit="epochs",
        ge=0,
        le=100_000,
    )
    scheduler: Literal["linear", "cosine"] = setting(
        "linear",
        "Learning rate schedule",
        "How the learning rate falls, epoch by epoch: along a straight line or a cosine.",
        basic=True,
    )
    final_lr: float = share(
        0.01,
        "Final learning rate",
        "Where the schedule ends, as a share of the learning rate.",
        section="schedule",
        unit="share of learning rate",
    )
    momentum: float = setting(
        0.9,
        "Momentum",
        "Momentum of SGD, MuSGD and RMSprop, or beta1 of the Adam family.",
        section="schedule",
        ge=0,
        lt=1,
    )
    weight_decay: float = common_settings.weight_decay(0.0005, unit="share")
    warmup: float = setting(
        0.02,
        "Warm-up",
        "Share of all epochs in which the learning rate rises from zero to its full value; at most all but one epoch.",
        basic=True,
        unit="share of training",
        ge=0,
        le=0.5,
    )
    warmup_momentum: float = setting(
        0.8,
        "Warm-up momentum",
        "Momentum at the start of the warm-up. Read by SGD, MuSGD and RMSprop.",
        section="schedule",
        ge=0,
        lt=1,
    )
    warmup_bias_lr: float = share(
        0.0,
        "Warm-up learning rate of biases",
        "Learning rate of biases at the start of the warm-up.",
        section="schedule",
    )
    scale: float = setting(
        0.5,
        "Scaling",
        "Images are scaled by up to plus or minus this part; classification crops down to 1 minus it.",
        section="augmentation",
        unit="share",
        ge=0,
        lt=1,
    )
    horizontal_flip: float = common_settings.horizontal_flip()
    vertical_flip: float = common_settings.vertical_flip()
    hsv_h: float = share(0.015, "Hue", "Range of random change of hue.", section="augmentation")
    hsv_s: float = share(0.7, "Saturation", "Range of random change of saturation.", section="augmentation")
    hsv_v: float = share(0.4, "Brightness", "Range of random change of brightness.", section="augmentation")
    mixed_precision: bool = setting(
        True,
        "Mixed precision",
        "Computes in 16 bits where that is safe. CUDA only; ignored elsewhere.",
        section="runtime",
    )
    deterministic: bool = setting(
        True,
        "Deterministic",
        "Prefers algorithms that give the same result each time, also where they are slower.",
        section="runtime",
    )
    workers: int = setting(
        4,
        "Loader processes",
        "Processes that load images. Used with CUDA only; elsewhere the trainer loads them itself.",
        section="runtime",
        ge=0,
        le=64,
    )
    cache: Literal["none", "ram"] = setting(
        "none", "Image cache", "`ram` keeps every decoded image in memory.", section="runtime"
    )
    plots: bool = setting(
        True, "Charts", "Leaves charts of the curves and a confusion matrix as artifacts.", section="runtime"
    )


class MosaicHyperparameters(CommonHyperparameters):
    """Settings of every kind that learns from places in an image."""

    rotation: float = common_settings.rotation()
    translate: float = share(
        0.1, "Translation", "Range of random shift, as a part of the image.", section="augmentation"
    )
    shear: float = setting(0.0, "Shear", "Range of random shear.", section="augmentation", unit="degrees", ge=0, le=45)
    perspective: float = setting(
        0.0, "Perspective", "Range of random perspective; 0.001 is much.", section="augmentation", ge=0, le=0.01
    )
    bgr: float = share(
        0.0, "Channel swap", "Probability of red and blue being exchanged.", section="augmentation", unit="probability"
    )
    mosaic: float = share(
        1.0,
        "Mosaic",
        "Probability of four images being put together into one.",
        section="augmentation",
        unit="probability",
    )
    close_mosaic: int = setting(
        10,
        "Epochs without mosaic",
        "Mosaic, mixup, cutmix and copy-paste end this many epochs before training does.",
        section="schedule",
        unit="epochs",
        ge=0,
        le=100_000,
    )
    mixup: float = share(
        0.0, "Mixup", "Probability of two images being blended.", section="augmentation", unit="probability"
    )
    cutmix: float = share(
        0.0,
        "CutMix",
        "Probability of a part of another image being pasted in.",
        section="augmentation",
        unit="probability",
    )
    multi_scale: float = setting(
        0.0,
        "Multi-scale",
        "Each batch has a size of its own, by up to plus or minus this part of `image_size`.",
        section="augmentation",
        ge=0,
        le=0.9,
    )


class BoxHyperparameters(MosaicHyperparameters):
    """Settings of every kind that finds objects."""

    single_cls: bool = setting(False, "Single class", "Treats all classes as one.", basic=True)
