"""Transforms of an image to the tensor that a network sees, with random changes for training only."""

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from timm.data import create_transform
from timm.data.transforms import str_to_interp_mode
from torchvision.transforms import v2

from timm_service.config import Hyperparameters

Transform = Callable[[Image.Image], torch.Tensor]
"""An upright RGB image to float32 of shape (3, side, side)."""

POLICIES = {
    "randaugment": v2.RandAugment,
    "trivialaugment": v2.TrivialAugmentWide,
    "autoaugment": v2.AutoAugment,
    "augmix": v2.AugMix,
}


def training_transform(settings: Hyperparameters, data_config: dict[str, Any]) -> Transform:
    """Draws from torch's own generator alone, so that one seed decides all of an image's changes.

    `data_config` is timm's: image size, and mean, std and interpolation that the architecture was made for.
    """
    side = data_config["input_size"][-1]
    interpolation = str_to_interp_mode(data_config["interpolation"])
    steps: list[Any] = [v2.RandomResizedCrop(side, scale=(settings.min_crop, 1.0), interpolation=interpolation)]
    if settings.horizontal_flip:
        steps.append(v2.RandomHorizontalFlip(settings.horizontal_flip))
    if settings.vertical_flip:
        steps.append(v2.RandomVerticalFlip(settings.vertical_flip))
    if settings.rotation:
        steps.append(v2.RandomRotation(settings.rotation, interpolation=v2.InterpolationMode.BILINEAR))
    if settings.color_jitter:
        steps.append(v2.ColorJitter(*[settings.color_jitter] * 3))
    if settings.auto_augment != "none":
        steps.append(POLICIES[settings.auto_augment]())
    steps += [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(data_config["mean"], data_config["std"]),
    ]
    if settings.random_erasing:
        steps.append(v2.RandomErasing(settings.random_erasing))
    return v2.Compose([*steps, v2.ToPureTensor()])


def validation_transform(data_config: dict[str, Any]) -> Transform:
    """The architecture's own resize and centre crop, as timm evaluates it."""
    return create_transform(**data_config, is_training=False)
