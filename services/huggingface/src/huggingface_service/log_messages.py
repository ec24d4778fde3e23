"""Lines of a training's log, in plain words."""

import torch

from huggingface_service.config import Hyperparameters
from huggingface_service.devices import computes_in_bfloat16
from huggingface_service.trainer import TaskTrainer
from trainer_kit.trainer import TrainingRun
from vision_contracts import metric_names

Run = TrainingRun[Hyperparameters]


def log_start(
    run: Run, trainer: TaskTrainer, *, images: int, image_size: int, steps_per_epoch: int, device: torch.device
) -> None:
    """Log model, data, steps and device."""
    run.log(
        f"Training {run.spec.model_name} ({trainer.model.num_parameters():,} weights) on "
        f"{images} images of {image_size} px, {steps_per_epoch} steps an epoch, "
        f"{run.batch_description}, on {device}{' in bfloat16' if computes_in_bfloat16(run, device) else ''}."
    )


def log_epoch(run: Run, epoch: int, *, is_best: bool) -> None:
    """Log validation loss, primary metric and seconds of one epoch."""
    primary, values = run.history.primary_metric, run.history.epochs[epoch]
    run.log(
        f"Epoch {epoch} of {run.spec.params.epochs}: validation loss {values[metric_names.VAL_LOSS]:.4f}, "
        f"{primary.removeprefix('val/')} {values[primary]:.4f}"
        f"{' (best so far)' if is_best else ''}, {values[metric_names.EPOCH_SECONDS]:.1f} s."
    )
