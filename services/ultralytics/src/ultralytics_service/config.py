"""The settings that a job may give beside its named fields, called as the library calls them.

Each kind of network has the settings that its loss, its augmentation and its validation really read, no more. The
job's `learning_rate` is the library's `lr0`, its `batch_size` is `batch`; gradients are never accumulated over batches
(`nbs` is the batch size), so that one batch is one optimizer step.

Defaults differ from the library's where its own are made for hundreds of epochs on a hundred thousand images:
the warm-up is one epoch instead of three, biases warm up from zero instead of 0.1 (which AdamW does not survive), and
training ends early only if asked to.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from trainer_kit.hyperparameters import Hyperparameters
from ultralytics_service.kinds import Kind


def setting(default: Any, title: str, description: str, group: str, *, unit: str | None = None, **limits: Any) -> Any:
    """A field that a form can show."""
    extra: dict[str, Any] = {"group": group} | ({"unit": unit} if unit else {})
    return Field(default, title=title, description=description, json_schema_extra=extra, **limits)


def share(default: float, title: str, description: str, group: str) -> Any:
    """A setting from 0 to 1."""
    return setting(default, title, description, group, ge=0, le=1)


def weight(default: float, title: str, description: str) -> Any:
    """How much a part of the loss counts."""
    return setting(default, title, description, "loss", ge=0, le=100)


ImageSize = Literal["auto"] | Annotated[int, Field(ge=32, le=4096, multiple_of=32)]


class CommonHyperparameters(Hyperparameters):
    """What every kind of network takes."""

    image_size: ImageSize = setting(
        "auto",
        "Image size",
        "Side of the square that images are scaled to (the library's `imgsz`). `auto` takes the longest side of the "
        "data set's images, rounded up to a multiple of 32: from 128 to 640, for classification from 64 to 224.",
        "basic",
        unit="px",
    )
    freeze: int = setting(
        0,
        "Frozen layers",
        "How many of the first layers keep their initial weights. For fine-tuning.",
        "basic",
        ge=0,
        le=100,
    )
    patience: int = setting(
        0,
        "Patience",
        "Ends training after this many epochs without a better primary metric; 0 never does.",
        "schedule",
        unit="epochs",
        ge=0,
        le=100_000,
    )
    lrf: float = share(
        0.01, "Final learning rate", "Learning rate at the end, as a fraction of `learning_rate`.", "schedule"
    )
    cos_lr: bool = setting(
        False, "Cosine schedule", "Lowers the learning rate along a cosine instead of a straight line.", "schedule"
    )
    momentum: float = setting(
        0.9, "Momentum", "Momentum of SGD, MuSGD and RMSprop, or beta1 of the Adam family.", "schedule", ge=0, lt=1
    )
    weight_decay: float = share(
        0.0005, "Weight decay", "Decay of weights, but not of biases and normalisation.", "schedule"
    )
    warmup_epochs: float = setting(
        1.0,
        "Warm-up",
        "The learning rate rises from 0 over this many epochs (parts of one allowed), at most all but one.",
        "schedule",
        unit="epochs",
        ge=0,
        le=1000,
    )
    warmup_momentum: float = setting(
        0.8,
        "Warm-up momentum",
        "Momentum at the start of the warm-up. Read by SGD, MuSGD and RMSprop.",
        "schedule",
        ge=0,
        lt=1,
    )
    warmup_bias_lr: float = share(
        0.0, "Warm-up learning rate of biases", "Learning rate of biases at the start of the warm-up.", "schedule"
    )
    scale: float = setting(
        0.5,
        "Scaling",
        "Images are scaled by up to plus or minus this part; classification crops down to 1 minus it.",
        "augmentation",
        ge=0,
        lt=1,
    )
    fliplr: float = share(
        0.5,
        "Mirroring",
        "Probability of a mirror image. Use 0 where left and right differ in meaning, as in digits.",
        "augmentation",
    )
    flipud: float = share(0.0, "Turning upside down", "Probability of a flip from top to bottom.", "augmentation")
    hsv_h: float = share(0.015, "Hue", "Range of random change of hue.", "augmentation")
    hsv_s: float = share(0.7, "Saturation", "Range of random change of saturation.", "augmentation")
    hsv_v: float = share(0.4, "Brightness", "Range of random change of brightness.", "augmentation")
    amp: bool = setting(
        True, "Mixed precision", "Computes in 16 bits where that is safe. CUDA only; ignored elsewhere.", "runtime"
    )
    deterministic: bool = setting(
        True,
        "Deterministic",
        "Prefers algorithms that give the same result each time, also where they are slower.",
        "runtime",
    )
    workers: int = setting(
        4,
        "Loader processes",
        "Processes that load images. Used with CUDA only; elsewhere the trainer loads them itself.",
        "runtime",
        ge=0,
        le=64,
    )
    cache: Literal["none", "ram"] = setting(
        "none", "Image cache", "`ram` keeps every decoded image in memory.", "runtime"
    )
    plots: bool = setting(True, "Charts", "Leaves charts of the curves and a confusion matrix as artifacts.", "runtime")


class MosaicHyperparameters(CommonHyperparameters):
    """What every kind takes that learns from places in an image."""

    degrees: float = setting(0.0, "Rotation", "Range of random rotation.", "augmentation", unit="degrees", ge=0, le=180)
    translate: float = share(0.1, "Translation", "Range of random shift, as a part of the image.", "augmentation")
    shear: float = setting(0.0, "Shear", "Range of random shear.", "augmentation", unit="degrees", ge=0, le=45)
    perspective: float = setting(
        0.0, "Perspective", "Range of random perspective; 0.001 is much.", "augmentation", ge=0, le=0.01
    )
    bgr: float = share(0.0, "Channel swap", "Probability of red and blue being exchanged.", "augmentation")
    mosaic: float = share(1.0, "Mosaic", "Probability of four images being put together into one.", "augmentation")
    close_mosaic: int = setting(
        10,
        "Epochs without mosaic",
        "Mosaic, mixup, cutmix and copy-paste end this many epochs before training does.",
        "schedule",
        unit="epochs",
        ge=0,
        le=100_000,
    )
    mixup: float = share(0.0, "Mixup", "Probability of two images being blended.", "augmentation")
    cutmix: float = share(0.0, "CutMix", "Probability of a part of another image being pasted in.", "augmentation")
    multi_scale: float = setting(
        0.0,
        "Multi-scale",
        "Each batch has a size of its own, by up to plus or minus this part of `image_size`.",
        "augmentation",
        ge=0,
        le=0.9,
    )


class BoxHyperparameters(MosaicHyperparameters):
    """What every kind takes that finds objects."""

    single_cls: bool = setting(False, "Single class", "Treats all classes as one.", "basic")


class RtdetrHyperparameters(BoxHyperparameters):
    """RT-DETR: its loss has fixed weights, and nothing suppresses its predictions."""

    amp: bool = setting(
        False,
        "Mixed precision",
        "Computes in 16 bits where that is safe. CUDA only. May give a loss that is not a number.",
        "runtime",
    )


class DetectHyperparameters(BoxHyperparameters):
    """YOLO detection, and what all YOLO heads with boxes share."""

    box: float = weight(7.5, "Box loss", "Weight of the box loss.")
    cls: float = weight(0.5, "Class loss", "Weight of the class loss.")
    dfl: float = weight(
        1.5, "Distribution loss", "Weight of the loss of the boxes' edges (distribution focal loss, or L1 in YOLO26)."
    )
    cls_pw: float = share(
        0.0, "Class balance", "0 weighs every object alike, 1 weighs classes by the inverse of their frequency.", "loss"
    )
    iou: float = setting(
        0.7,
        "Overlap allowed",
        "Of two predictions that overlap more than this, validation counts the surer one.",
        "validation",
        gt=0,
        le=1,
    )
    max_det: int = setting(
        300,
        "Objects per image",
        "At most this many predictions of an image count in validation.",
        "validation",
        ge=1,
        le=10_000,
    )


class CopyPasteHyperparameters(BaseModel):
    """Pasting objects needs their outlines."""

    copy_paste: float = share(
        0.0, "Copy-paste", "Part of the objects that are pasted into another place.", "augmentation"
    )
    copy_paste_mode: Literal["flip", "mixup"] = setting(
        "flip", "Copy-paste from", "`flip` pastes from the mirrored image, `mixup` from another one.", "augmentation"
    )


class SegmentHyperparameters(DetectHyperparameters, CopyPasteHyperparameters):
    """YOLO instance segmentation. `box` weighs the mask loss too."""

    overlap_mask: bool = setting(
        True,
        "Merge masks",
        "Puts all masks of an image into one, the smallest object on top; else each has its own.",
        "loss",
    )
    mask_ratio: int = setting(
        4, "Mask ratio", "Masks are learnt at the image size divided by this.", "loss", ge=1, le=16
    )


class PoseHyperparameters(DetectHyperparameters):
    """YOLO pose estimation. Mirroring needs a data set that names each keypoint's mirror image; else it is off."""

    pose: float = weight(12.0, "Keypoint loss", "Weight of the keypoint loss.")
    kobj: float = weight(1.0, "Visibility loss", "Weight of the loss of whether a keypoint is visible.")
    rle: float = weight(1.0, "Likelihood loss", "Weight of the residual log-likelihood loss. Read by YOLO26 only.")


class ObbHyperparameters(DetectHyperparameters, CopyPasteHyperparameters):
    """YOLO oriented boxes."""

    angle: float = weight(1.0, "Angle loss", "Weight of the angle loss.")


class SemanticHyperparameters(MosaicHyperparameters, CopyPasteHyperparameters):
    """YOLO semantic segmentation."""

    cls_pw: float = share(
        0.0,
        "Class balance",
        "0 weighs every pixel alike, 1 weighs classes by the inverse logarithm of their frequency.",
        "loss",
    )


class ClassifyHyperparameters(CommonHyperparameters):
    """YOLO and ResNet classification. `hsv_…` are read while `auto_augment` is `none`."""

    dropout: float = setting(0.0, "Dropout", "Dropout before the last layer.", "basic", ge=0, lt=1)
    auto_augment: Literal["none", "randaugment", "autoaugment", "augmix"] = setting(
        "none",
        "Automatic augmentation",
        "A published policy of random changes. Strong ones need many epochs.",
        "augmentation",
    )
    erasing: float = setting(
        0.0, "Erasing", "Probability of a random rectangle being blanked.", "augmentation", ge=0, lt=1
    )


HYPERPARAMETERS: dict[str, type[CommonHyperparameters]] = {
    Kind.DETECT: DetectHyperparameters,
    Kind.RTDETR: RtdetrHyperparameters,
    Kind.SEGMENT: SegmentHyperparameters,
    Kind.POSE: PoseHyperparameters,
    Kind.OBB: ObbHyperparameters,
    Kind.SEMANTIC: SemanticHyperparameters,
    Kind.CLASSIFY: ClassifyHyperparameters,
}
