"""The optimizer and the learning rate that the user asked for."""

import math
from collections.abc import Iterable
from functools import partial

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel

from huggingface_service.checkpoint import Checkpoint
from huggingface_service.config import DetectionHyperparameters, Hyperparameters
from huggingface_service.model import find_backbone
from trainer_kit.trainer import TrainingError, TrainingRun
from vision_contracts import EndReason, LogLevel, TrainingParams


def make_optimizer(model: PreTrainedModel, params: TrainingParams, settings: Hyperparameters) -> Optimizer:
    """`params.optimizer` at `params.learning_rate`, over the weights that are to be trained."""
    groups = parameter_groups(model, params.learning_rate, settings)
    rate, momentum = params.learning_rate, settings.momentum
    match params.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate)
        case "adam":
            return torch.optim.Adam(groups, lr=rate)
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, momentum=momentum)
        case unknown:
            message = f"There is no optimizer {unknown!r} for this model. Choose another one."
            raise TrainingError(EndReason.BAD_HYPERPARAMETERS, message)


def parameter_groups(model: PreTrainedModel, rate: float, settings: Hyperparameters) -> list[dict[str, object]]:
    """Weights, which decay, then biases and norms, which do not; a detector's backbone may have its own rate."""
    share = settings.backbone_lr if isinstance(settings, DetectionHyperparameters) else 1.0
    slow = {id(parameter) for parameter in find_backbone(model).parameters()} if share != 1 else set()
    groups = []
    for decays in (True, False):
        for is_slow in (False, True):
            members = [
                parameter
                for parameter in _trainable(model.parameters())
                if (parameter.ndim > 1) == decays and (id(parameter) in slow) == is_slow
            ]
            if members:
                decay = settings.weight_decay if decays else 0.0
                groups.append({"params": members, "weight_decay": decay, "lr": rate * (share if is_slow else 1.0)})
    return groups


def _trainable(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    return [parameter for parameter in parameters if parameter.requires_grad]


def restore_optimizer(run: TrainingRun[Hyperparameters], optimizer: Optimizer, resumed: Checkpoint) -> None:
    """Gives back the moments of a checkpoint. Rates and decays stay those of the job, which may have been changed."""
    if resumed.optimizer_name != run.spec.params.optimizer:
        run.log(f"The optimizer was {resumed.optimizer_name} before; the new one starts afresh.", LogLevel.WARNING)
        return
    if resumed.optimizer is None:
        return
    own = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    try:
        optimizer.load_state_dict(resumed.optimizer)
    except ValueError:
        run.log("Other weights are trained than before; the optimizer starts afresh.", LogLevel.WARNING)
    for group, options in zip(optimizer.param_groups, own, strict=True):
        group.update(options)


def make_schedule(optimizer: Optimizer, settings: Hyperparameters, *, steps: int, start: int) -> LambdaLR:
    """The learning rate from step to step of `steps`, when `start` of them are done."""
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return LambdaLR(optimizer, partial(rate_factor, settings=settings, steps=steps), last_epoch=start - 1)


def rate_factor(step: int, *, settings: Hyperparameters, steps: int) -> float:
    """The share of the full learning rate with which step `step` (from 0) is taken."""
    warmup = round(settings.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    match settings.scheduler:
        case "cosine":
            fall = (1 + math.cos(math.pi * progress)) / 2
        case "linear":
            fall = 1 - progress
        case "constant":
            return 1.0
    return settings.final_lr + (1 - settings.final_lr) * fall
