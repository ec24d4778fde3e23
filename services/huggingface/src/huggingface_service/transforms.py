"""Images as tensors, with random changes for training and without for validation."""

from collections.abc import Sequence
from typing import Any

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from data_kit import Sample, load_image
from huggingface_service.config import Hyperparameters, LabelingHyperparameters

Example = dict[str, Any]
"""`image` and the targets of a task, as tv_tensors where they move with the image."""

NORMALIZATIONS: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "bgr": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and standard deviation of the pixels that a checkpoint was trained with; `bgr` has the channels reversed too."""


def read_image(sample: Sample) -> tv_tensors.Image:
    """The upright image. Raises OSError if it cannot be decoded."""
    return tv_tensors.Image(functional.pil_to_tensor(load_image(sample.image)))


def training_transform(settings: Hyperparameters, size: int, normalization: str) -> v2.Transform:
    """Random crop, mirror, turn and colours; boxes and masks move along."""
    steps: list[v2.Transform] = [v2.RandomResizedCrop((size, size), scale=(settings.min_crop, 1.0))]
    if settings.min_crop == 1:
        steps = [v2.Resize((size, size))]
    if settings.horizontal_flip:
        steps.append(v2.RandomHorizontalFlip(settings.horizontal_flip))
    if settings.vertical_flip:
        steps.append(v2.RandomVerticalFlip(settings.vertical_flip))
    if isinstance(settings, LabelingHyperparameters) and settings.rotation:
        steps.append(v2.RandomRotation(settings.rotation, interpolation=v2.InterpolationMode.BILINEAR))
    if settings.color_jitter:
        steps.append(v2.ColorJitter(*[settings.color_jitter] * 3))
    return v2.Compose([*steps, *_to_model(normalization)])


def validation_transform(size: int, normalization: str) -> v2.Transform:
    """The whole image, squeezed into the square."""
    return v2.Compose([v2.Resize((size, size)), *_to_model(normalization)])


def _to_model(normalization: str) -> list[v2.Transform]:
    mean, std = NORMALIZATIONS[normalization]
    reverse = [ReverseChannels()] if normalization == "bgr" else []
    return [
        v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
        *reverse,
        v2.Normalize(mean, std),
    ]


class ReverseChannels(v2.Transform):
    """RGB to BGR, which Apple's MobileViT checkpoints were trained with."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:  # noqa: ARG002 - torchvision's signature
        return tv_tensors.wrap(inpt.flip(-3), like=inpt) if isinstance(inpt, tv_tensors.Image) else inpt
