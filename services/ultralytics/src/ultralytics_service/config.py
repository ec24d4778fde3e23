"""The settings that a job may give beside its named fields, called as the library calls them.

Each kind of network has the settings that its loss, its augmentation and its validation really read, no more. The
job's `learning_rate` is the library's `lr0`, its `batch_size` is `batch`; gradients are never accumulated over batches
(`nbs` is the batch size), so that one batch is one optimizer step.

Defaults differ from the library's where its own are made for hundreds of epochs on a hundred thousand images:
the warm-up is one epoch instead of three, biases warm up from zero instead of 0.1 (which AdamW does not survive), and
training ends early only if asked to.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from trainer_kit.hyperparameters import Hyperparameters
from ultralytics_service.kinds import Kind

_BASIC = {"group": "basic"}
_PIXELS = {"group": "basic", "unit": "px"}
_EPOCHS = {"group": "schedule", "unit": "epochs"}
_SCHEDULE = {"group": "schedule"}
_LOSS = {"group": "loss"}
_AUGMENTATION = {"group": "augmentation"}
_DEGREES = {"group": "augmentation", "unit": "degrees"}
_VALIDATION = {"group": "validation"}
_RUNTIME = {"group": "runtime"}

ImageSize = Literal["auto"] | Annotated[int, Field(ge=32, le=4096, multiple_of=32)]


class CommonHyperparameters(Hyperparameters):
    """What every kind of network takes."""

    image_size: ImageSize = Field(
        "auto",
        title="Image size",
        json_schema_extra=_PIXELS,
        description="Side of the square that images are scaled to (the library's `imgsz`). `auto` takes the longest "
        "side of the data set's images, rounded up to a multiple of 32, between 128 (64 for classification) and the "
        "size that the model was designed for.",
    )
    freeze: int = Field(
        0, ge=0, le=100, title="Frozen layers", json_schema_extra=_BASIC,
        description="How many of the first layers keep their initial weights. For fine-tuning.",
    )  # fmt: skip
    patience: int = Field(
        0, ge=0, le=100_000, title="Patience", json_schema_extra=_EPOCHS,
        description="Ends training after this many epochs without a better primary metric; 0 never does.",
    )  # fmt: skip
    lrf: float = Field(
        0.01, ge=0, le=1, title="Final learning rate", json_schema_extra=_SCHEDULE,
        description="Learning rate at the end, as a fraction of `learning_rate`.",
    )  # fmt: skip
    cos_lr: bool = Field(
        False, title="Cosine schedule", json_schema_extra=_SCHEDULE,
        description="Lowers the learning rate along a cosine instead of a straight line.",
    )  # fmt: skip
    momentum: float = Field(
        0.9, ge=0, lt=1, title="Momentum", json_schema_extra=_SCHEDULE,
        description="Momentum of SGD, MuSGD and RMSprop, or beta1 of the Adam family.",
    )  # fmt: skip
    weight_decay: float = Field(
        0.0005, ge=0, le=1, title="Weight decay", json_schema_extra=_SCHEDULE,
        description="Decay of weights, but not of biases and normalisation.",
    )  # fmt: skip
    warmup_epochs: float = Field(
        1.0, ge=0, le=1000, title="Warm-up", json_schema_extra=_EPOCHS,
        description="The learning rate rises from 0 over this many epochs (parts of one allowed), at most all but one.",
    )  # fmt: skip
    warmup_momentum: float = Field(
        0.8, ge=0, lt=1, title="Warm-up momentum", json_schema_extra=_SCHEDULE,
        description="Momentum at the start of the warm-up. Read by SGD, MuSGD and RMSprop.",
    )  # fmt: skip
    warmup_bias_lr: float = Field(
        0.0, ge=0, le=1, title="Warm-up learning rate of biases", json_schema_extra=_SCHEDULE,
        description="Learning rate of biases at the start of the warm-up.",
    )  # fmt: skip
    scale: float = Field(
        0.5, ge=0, lt=1, title="Scaling", json_schema_extra=_AUGMENTATION,
        description="Images are scaled by up to plus or minus this part; classification crops down to 1 minus it.",
    )  # fmt: skip
    fliplr: float = Field(
        0.5, ge=0, le=1, title="Mirroring", json_schema_extra=_AUGMENTATION,
        description="Probability of a mirror image. Use 0 where left and right differ in meaning, as in digits.",
    )  # fmt: skip
    flipud: float = Field(
        0.0, ge=0, le=1, title="Turning upside down", json_schema_extra=_AUGMENTATION,
        description="Probability of a flip from top to bottom.",
    )  # fmt: skip
    hsv_h: float = Field(
        0.015, ge=0, le=1, title="Hue", json_schema_extra=_AUGMENTATION, description="Range of random change of hue.",
    )  # fmt: skip
    hsv_s: float = Field(
        0.7, ge=0, le=1, title="Saturation", json_schema_extra=_AUGMENTATION,
        description="Range of random change of saturation.",
    )  # fmt: skip
    hsv_v: float = Field(
        0.4, ge=0, le=1, title="Brightness", json_schema_extra=_AUGMENTATION,
        description="Range of random change of brightness.",
    )  # fmt: skip
    amp: bool = Field(
        True, title="Mixed precision", json_schema_extra=_RUNTIME,
        description="Computes in 16 bits where that is safe. CUDA only; ignored elsewhere.",
    )  # fmt: skip
    deterministic: bool = Field(
        True, title="Deterministic", json_schema_extra=_RUNTIME,
        description="Prefers algorithms that give the same result each time, also where they are slower.",
    )  # fmt: skip
    workers: int = Field(
        4, ge=0, le=64, title="Loader processes", json_schema_extra=_RUNTIME,
        description="Processes that load images. Used with CUDA only; elsewhere the trainer loads them itself.",
    )  # fmt: skip
    cache: Literal["none", "ram"] = Field(
        "none", title="Image cache", json_schema_extra=_RUNTIME,
        description="`ram` keeps every decoded image in memory.",
    )  # fmt: skip
    plots: bool = Field(
        True, title="Charts", json_schema_extra=_RUNTIME,
        description="Leaves charts of the curves and a confusion matrix as artifacts.",
    )  # fmt: skip


class MosaicHyperparameters(CommonHyperparameters):
    """What every kind takes that learns from places in an image."""

    degrees: float = Field(
        0.0, ge=0, le=180, title="Rotation", json_schema_extra=_DEGREES, description="Range of random rotation.",
    )  # fmt: skip
    translate: float = Field(
        0.1, ge=0, le=1, title="Translation", json_schema_extra=_AUGMENTATION,
        description="Range of random shift, as a part of the image.",
    )  # fmt: skip
    shear: float = Field(
        0.0, ge=0, le=45, title="Shear", json_schema_extra=_DEGREES, description="Range of random shear.",
    )  # fmt: skip
    perspective: float = Field(
        0.0, ge=0, le=0.01, title="Perspective", json_schema_extra=_AUGMENTATION,
        description="Range of random perspective; 0.001 is much.",
    )  # fmt: skip
    bgr: float = Field(
        0.0, ge=0, le=1, title="Channel swap", json_schema_extra=_AUGMENTATION,
        description="Probability of red and blue being exchanged.",
    )  # fmt: skip
    mosaic: float = Field(
        1.0, ge=0, le=1, title="Mosaic", json_schema_extra=_AUGMENTATION,
        description="Probability of four images being put together into one.",
    )  # fmt: skip
    close_mosaic: int = Field(
        10, ge=0, le=100_000, title="Epochs without mosaic", json_schema_extra=_EPOCHS,
        description="Mosaic, mixup, cutmix and copy-paste end this many epochs before training does.",
    )  # fmt: skip
    mixup: float = Field(
        0.0, ge=0, le=1, title="Mixup", json_schema_extra=_AUGMENTATION,
        description="Probability of two images being blended.",
    )  # fmt: skip
    cutmix: float = Field(
        0.0, ge=0, le=1, title="CutMix", json_schema_extra=_AUGMENTATION,
        description="Probability of a part of another image being pasted in.",
    )  # fmt: skip
    multi_scale: float = Field(
        0.0, ge=0, le=0.9, title="Multi-scale", json_schema_extra=_AUGMENTATION,
        description="Each batch has a size of its own, by up to plus or minus this part of `image_size`.",
    )  # fmt: skip


class BoxHyperparameters(MosaicHyperparameters):
    """What every kind takes that finds objects."""

    single_cls: bool = Field(
        False, title="Single class", json_schema_extra=_BASIC, description="Treats all classes as one.",
    )  # fmt: skip


class RtdetrHyperparameters(BoxHyperparameters):
    """RT-DETR: its loss has fixed weights, and nothing suppresses its predictions."""

    amp: bool = Field(
        False, title="Mixed precision", json_schema_extra=_RUNTIME,
        description="Computes in 16 bits where that is safe. CUDA only. May give a loss that is not a number.",
    )  # fmt: skip


class DetectHyperparameters(BoxHyperparameters):
    """YOLO detection, and what all YOLO heads with boxes share."""

    box: float = Field(
        7.5, ge=0, le=100, title="Box loss", json_schema_extra=_LOSS, description="Weight of the box loss.",
    )  # fmt: skip
    cls: float = Field(
        0.5, ge=0, le=100, title="Class loss", json_schema_extra=_LOSS, description="Weight of the class loss.",
    )  # fmt: skip
    dfl: float = Field(
        1.5, ge=0, le=100, title="Distribution loss", json_schema_extra=_LOSS,
        description="Weight of the loss of the boxes' edges (distribution focal loss, or L1 in YOLO26).",
    )  # fmt: skip
    cls_pw: float = Field(
        0.0, ge=0, le=1, title="Class balance", json_schema_extra=_LOSS,
        description="0 weighs every object alike, 1 weighs classes by the inverse of their frequency.",
    )  # fmt: skip
    iou: float = Field(
        0.7, gt=0, le=1, title="Overlap allowed", json_schema_extra=_VALIDATION,
        description="Of two predictions that overlap more than this, validation counts the surer one.",
    )  # fmt: skip
    max_det: int = Field(
        300, ge=1, le=10_000, title="Objects per image", json_schema_extra=_VALIDATION,
        description="At most this many predictions of an image count in validation.",
    )  # fmt: skip


class CopyPasteHyperparameters(BaseModel):
    """Pasting objects needs their outlines."""

    copy_paste: float = Field(
        0.0, ge=0, le=1, title="Copy-paste", json_schema_extra=_AUGMENTATION,
        description="Part of the objects that are pasted into another place.",
    )  # fmt: skip
    copy_paste_mode: Literal["flip", "mixup"] = Field(
        "flip", title="Copy-paste from", json_schema_extra=_AUGMENTATION,
        description="`flip` pastes from the mirrored image, `mixup` from another one.",
    )  # fmt: skip


class SegmentHyperparameters(DetectHyperparameters, CopyPasteHyperparameters):
    """YOLO instance segmentation. `box` weighs the mask loss too."""

    overlap_mask: bool = Field(
        True, title="Merge masks", json_schema_extra=_LOSS,
        description="Puts all masks of an image into one, the smallest object on top; else each has its own.",
    )  # fmt: skip
    mask_ratio: int = Field(
        4, ge=1, le=16, title="Mask ratio", json_schema_extra=_LOSS,
        description="Masks are learnt at the image size divided by this.",
    )  # fmt: skip


class PoseHyperparameters(DetectHyperparameters):
    """YOLO pose estimation. Mirroring needs a data set that names each keypoint's mirror image; else it is off."""

    pose: float = Field(
        12.0, ge=0, le=100, title="Keypoint loss", json_schema_extra=_LOSS, description="Weight of the keypoint loss.",
    )  # fmt: skip
    kobj: float = Field(
        1.0, ge=0, le=100, title="Visibility loss", json_schema_extra=_LOSS,
        description="Weight of the loss of whether a keypoint is visible.",
    )  # fmt: skip
    rle: float = Field(
        1.0, ge=0, le=100, title="Likelihood loss", json_schema_extra=_LOSS,
        description="Weight of the residual log-likelihood loss. Read by YOLO26 only.",
    )  # fmt: skip


class ObbHyperparameters(DetectHyperparameters, CopyPasteHyperparameters):
    """YOLO oriented boxes."""

    angle: float = Field(
        1.0, ge=0, le=100, title="Angle loss", json_schema_extra=_LOSS,
        description="Weight of the angle loss.",
    )  # fmt: skip


class SemanticHyperparameters(MosaicHyperparameters, CopyPasteHyperparameters):
    """YOLO semantic segmentation."""

    cls_pw: float = Field(
        0.0, ge=0, le=1, title="Class balance", json_schema_extra=_LOSS,
        description="0 weighs every pixel alike, 1 weighs classes by the inverse logarithm of their frequency.",
    )  # fmt: skip


class ClassifyHyperparameters(CommonHyperparameters):
    """YOLO and ResNet classification. `hsv_…` are read while `auto_augment` is `none`."""

    dropout: float = Field(
        0.0, ge=0, lt=1, title="Dropout", json_schema_extra=_BASIC, description="Dropout before the last layer.",
    )  # fmt: skip
    auto_augment: Literal["none", "randaugment", "autoaugment", "augmix"] = Field(
        "none", title="Automatic augmentation", json_schema_extra=_AUGMENTATION,
        description="A published policy of random changes. Strong ones need many epochs.",
    )  # fmt: skip
    erasing: float = Field(
        0.0, ge=0, lt=1, title="Erasing", json_schema_extra=_AUGMENTATION,
        description="Probability of a random rectangle being blanked.",
    )  # fmt: skip


HYPERPARAMETERS: dict[str, type[CommonHyperparameters]] = {
    Kind.DETECT: DetectHyperparameters,
    Kind.RTDETR: RtdetrHyperparameters,
    Kind.SEGMENT: SegmentHyperparameters,
    Kind.POSE: PoseHyperparameters,
    Kind.OBB: ObbHyperparameters,
    Kind.SEMANTIC: SemanticHyperparameters,
    Kind.CLASSIFY: ClassifyHyperparameters,
}
