"""The optimizer and the learning rate that the job asks for, in the words of the library's configuration."""

from typing import Any

from trainer_kit.trainer import TrainingError
from ultralytics_service.config import CommonHyperparameters
from vision_contracts import EndReason, TrainingParams

LARGEST_LEARNING_RATE = 1


def optimization_arguments(params: TrainingParams, settings: CommonHyperparameters) -> dict[str, Any]:
    """Return optimizer, learning rate and schedule. Each batch is one optimizer step: `nbs` is the batch size.

    Raises TrainingError with `bad_hyperparameters` for a learning rate that the library does not take.
    """
    if params.learning_rate > LARGEST_LEARNING_RATE:
        raise TrainingError(
            EndReason.BAD_HYPERPARAMETERS,
            f"ultralytics takes learning rates up to 1, not {params.learning_rate:g}: lower learning_rate.",
        )
    return {
        "nbs": params.batch_size,
        "optimizer": params.optimizer,
        "lr0": params.learning_rate,
        "cos_lr": settings.scheduler == "cosine",
        "warmup_epochs": settings.warmup * params.epochs,
    }
