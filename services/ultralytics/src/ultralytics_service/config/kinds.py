"""The settings of each kind of network."""

from typing import Literal

from pydantic import BaseModel

from trainer_kit import common_settings
from trainer_kit.common_settings import setting
from ultralytics_service.config.common import BoxHyperparameters, CommonHyperparameters, MosaicHyperparameters
from ultralytics_service.config.fields import share, weight
from ultralytics_service.kinds import Kind


class RtdetrHyperparameters(BoxHyperparameters):
    """RT-DETR: its loss has fixed weights, and nothing suppresses its predictions."""

    mixed_precision: bool = setting(
        False,
        "Mixed precision",
        "Computes in 16 bits where that is safe. CUDA only. May give a loss that is not a number.",
        section="runtime",
    )


class DetectHyperparameters(BoxHyperparameters):
    """YOLO detection, and what all YOLO heads with boxes share."""

    box: float = weight(7.5, "Box loss", "Weight of the box loss.")
    cls: float = weight(0.5, "Class loss", "Weight of the class loss.")
    dfl: float = weight(
        1.5, "Distribution loss", "Weight of the loss of the boxes' edges (distribution focal loss, or L1 in YOLO26)."
    )
    cls_pw: float = share(
        0.0,
        "Class balance",
        "0 weighs every object alike, 1 weighs classes by the inverse of their frequency.",
        section="loss",
    )
    iou: float = setting(
        0.7,
        "Overlap allowed",
        "Of two predictions that overlap more than this, validation counts the surer one.",
        section="validation",
        gt=0,
        le=1,
    )
    max_det: int = setting(
        300,
        "Objects per image",
        "At most this many predictions of an image count in validation.",
        section="validation",
        ge=1,
        le=10_000,
    )


class CopyPasteHyperparameters(BaseModel):
    """Pasting objects needs their outlines."""

    copy_paste: float = share(
        0.0, "Copy-paste", "Part of the objects that are pasted into another place.", section="augmentation"
    )
    copy_paste_mode: Literal["flip", "mixup"] = setting(
        "flip",
        "Copy-paste from",
        "`flip` pastes from the mirrored image, `mixup` from another one.",
        section="augmentation",
    )


class SegmentHyperparameters(DetectHyperparameters, CopyPasteHyperparameters):
    """YOLO instance segmentation. `box` weighs the mask loss too."""

    overlap_mask: bool = setting(
        True,
        "Merge masks",
        "Puts all masks of an image into one, the smallest object on top; else each has its own.",
        section="loss",
    )
    mask_ratio: int = setting(
        4, "Mask ratio", "Masks are learnt at the image size divided by this.", section="loss", ge=1, le=16
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
        section="loss",
    )


class ClassifyHyperparameters(CommonHyperparameters):
    """YOLO and ResNet classification. `hsv_…` are read while `auto_augment` is `none`."""

    drop_rate: float = setting(
        0.0,
        "Dropout",
        "Chance that a feature is left out while training, before the classifier.",
        section="augmentation",
        unit="probability",
        ge=0,
        lt=1,
    )
    auto_augment: Literal["none", "randaugment", "autoaugment", "augmix"] = setting(
        "none",
        "Automatic augmentation",
        "A published policy of random changes. Strong ones need many epochs.",
        section="augmentation",
    )
    random_erasing: float = common_settings.random_erasing(lt=1, section="augmentation")


HYPERPARAMETERS: dict[str, type[CommonHyperparameters]] = {
    Kind.DETECT: DetectHyperparameters,
    Kind.RTDETR: RtdetrHyperparameters,
    Kind.SEGMENT: SegmentHyperparameters,
    Kind.POSE: PoseHyperparameters,
    Kind.OBB: ObbHyperparameters,
    Kind.SEMANTIC: SemanticHyperparameters,
    Kind.CLASSIFY: ClassifyHyperparameters,
}
