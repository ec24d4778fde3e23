"""The network: built by timm for this data set's classes and image size, with the weights that the job asks for."""

from typing import Any

import timm
from torch import nn

from timm_service.config import Hyperparameters
from timm_service.weights import copy_weights, load_pretrained
from trainer_kit.trainer import TrainingError, TrainingRun
from vision_contracts import EndReason, LogLevel, ModelCard


def build_model(run: TrainingRun[Hyperparameters], side: int) -> nn.Module:
    """Build the network on the CPU, in training mode, and log where its weights come from."""
    options = model_options(run.card, run.hyperparameters, side) | {"num_classes": run.dataset.num_classes}
    weights = run.spec.initial_weights
    if weights == "pretrained" and run.resume_from is None:
        return load_pretrained(run.card, run.hyperparameters.pretrained_tag, options, log=run.log)
    model = timm.create_model(run.card.model_name, **options)
    if run.resume_from is None and run.initial_checkpoint is not None:
        copy_weights(model, run.initial_checkpoint, log=run.log)
    elif run.resume_from is None and run.hyperparameters.freeze_backbone:
        run.log("Only the classifier is trained, on top of random weights: expect little.", LogLevel.WARNING)
    return model


def model_options(card: ModelCard, settings: Hyperparameters, side: int) -> dict[str, Any]:
    """Return the settings that `timm.create_model` takes. Zeros too: some architectures have rates of their own."""
    return settings.model_dump(include={"drop_path_rate", "drop_rate"}) | image_size_option(card.model_name, side)


def image_size_option(model_name: str, side: int) -> dict[str, int]:
    """`img_size` for architectures whose parameters depend on it."""
    config = timm.get_pretrained_cfg(model_name)
    own_side = config.input_size[-1] if config else None
    return {"img_size": side} if config and config.fixed_input_size and side != own_side else {}


def freeze_backbone(model: nn.Module) -> list[nn.Module]:
    """Leave only the classifier trainable, and return its modules."""
    head = model.get_classifier()  # pyright: ignore[reportCallIssue]
    modules = [head] if isinstance(head, nn.Module) else list(head)
    model.requires_grad_(False)
    for module in modules:
        module.requires_grad_(True)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TrainingError(
            EndReason.BAD_HYPERPARAMETERS,
            "This architecture has no classifier of its own to train. Set `freeze_backbone` to false.",
        )
    return modules


def set_training_mode(model: nn.Module, trained: list[nn.Module]) -> None:
    """Set training mode for the trained modules alone: frozen batch norms must not learn."""
    model.eval()
    for module in trained:
        module.train()


def shorten_batch_norm_averages(model: nn.Module, steps: int) -> None:
    """Shorten the averages of batch norms to fit a short training.

    Some architectures average over hundreds of steps; validated earlier than that, they look untrained.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.momentum is not None:
            module.momentum = min(0.5, max(module.momentum, 10 / steps))


def parameter_count(model: nn.Module) -> int:
    """Count the parameters of a model, trainable and frozen together."""
    return sum(parameter.numel() for parameter in model.parameters())
