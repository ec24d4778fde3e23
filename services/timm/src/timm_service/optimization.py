"""Optimization of the weights: optimizer, learning rate at each step, loss, and mixing of images."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from timm.optim import create_optimizer_v2, get_optimizer_info
from torch import nn
from torch.nn import functional
from torchvision.transforms import v2

from data_kit import Sample
from timm_service.config import Hyperparameters
from vision_contracts import TrainingParams

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Mix = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def make_optimizer(model: nn.Module, params: TrainingParams, settings: Hyperparameters) -> torch.optim.Optimizer:
    """timm's optimizer of that name, with the learning rate that the job asks for."""
    # Nesterov's method is the default of some, and none without a momentum.
    options = {"nesterov": False} if settings.momentum == 0 and _is_nesterov(params.optimizer) else {}
    return create_optimizer_v2(
        model,
        opt=params.optimizer,
        lr=params.learning_rate,
        weight_decay=settings.weight_decay,
        momentum=settings.momentum,
        layer_decay=settings.layer_decay if settings.layer_decay < 1 else None,
        **options,
    )


def _is_nesterov(optimizer: str) -> bool:
    return bool((get_optimizer_info(optimizer).defaults or {}).get("nesterov"))


def learning_rate(step: int, steps: int, peak: float, settings: Hyperparameters) -> float:
    """Return the rate of step number `step` (from 1) of `steps`: a function of nothing else, so nothing to resume."""
    warmup_steps = round(settings.warmup * steps)
    if step <= warmup_steps:
        return peak * step / warmup_steps
    done = (step - warmup_steps) / max(1, steps - warmup_steps)
    left = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[settings.scheduler]
    return peak * (settings.final_lr + (1 - settings.final_lr) * left)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the rate of every group of parameters; with layer decay, earlier layers get a share of it."""
    for group in optimizer.param_groups:
        group["lr"] = value * group.get("lr_scale", 1.0)


def make_loss(settings: Hyperparameters, samples: Sequence[Sample], num_classes: int, device: torch.device) -> Loss:
    """Cross-entropy of logits (n, classes) against class ids (n,) or shares of classes (n, classes)."""
    weight = class_weights(samples, num_classes).to(device) if settings.balance_classes else None
    return partial(functional.cross_entropy, weight=weight, label_smoothing=settings.label_smoothing)


def class_weights(samples: Sequence[Sample], num_classes: int) -> torch.Tensor:
    """1 on average over the images; a class without any weighs as if it had one."""
    classes = torch.tensor([sample.class_id for sample in samples])
    counts = torch.bincount(classes, minlength=num_classes).clamp(min=1)
    return len(samples) / (num_classes * counts.float())


def sample_weights(samples: Sequence[Sample], num_classes: int) -> torch.Tensor:
    """The chance of each image to be drawn, so that every class that occurs is drawn as often."""
    return class_weights(samples, num_classes)[[sample.class_id for sample in samples]]


def make_mix(settings: Hyperparameters, num_classes: int) -> Mix | None:
    """Blends the images of a batch and their labels; None where both ways are off."""
    ways: list[Any] = []
    if settings.mixup:
        ways.append(v2.MixUp(alpha=settings.mixup, num_classes=num_classes))
    if settings.cutmix:
        ways.append(v2.CutMix(alpha=settings.cutmix, num_classes=num_classes))
    return v2.RandomChoice(ways) if ways else None
