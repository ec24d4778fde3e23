"""Lines of a training's log, in plain words."""

from data_kit import Split
from timm_service.build import Run, Setup
from timm_service.checkpoint import TrainingState
from timm_service.model import parameter_count
from vision_contracts import metric_names


def log_start(run: Run, state: TrainingState, setup: Setup) -> None:
    """Log data, model and settings of a training."""
    params, dataset = run.spec.params, run.dataset
    side, trainable = setup.facts["image_size"], sum(p.numel() for p in state.model.parameters() if p.requires_grad)
    run.log(
        f"Data: {len(dataset[Split.TRAIN])} training and {len(dataset[Split.VAL])} validation images "
        f"of {dataset.num_classes} classes, seen at {side} by {side} pixels."
    )
    run.log(
        f"Model: {run.card.model_name} with {parameter_count(state.model):,} parameters, "
        f"of which {trainable:,} are trained."
    )
    run.log(
        f"Training: {params.epochs} epochs of {setup.steps_per_epoch} steps, {run.batch_description}, "
        f"{params.optimizer} at learning rate {params.learning_rate:g}, on {setup.device}."
    )
    if state.step:
        run.log(f"Resuming after step {state.step}, with {state.epoch} epochs complete.")


def log_epoch(run: Run, train_loss: float, *, is_best: bool) -> None:
    """Log losses, accuracy and seconds of the last epoch."""
    epoch, values = max(run.history.epochs.items())
    run.log(
        f"Epoch {epoch} of {run.spec.params.epochs}: training loss {train_loss:.4f}, "
        f"validation loss {values[metric_names.VAL_LOSS]:.4f}, accuracy {values[metric_names.VAL_ACCURACY]:.1%}"
        f"{' (best so far)' if is_best else ''}, {values[metric_names.EPOCH_SECONDS]:.1f} s."
    )


def log_end(run: Run) -> None:
    """Log the best accuracy."""
    run.log(f"Finished. The best validation accuracy was {run.history.best[metric_names.VAL_ACCURACY]:.1%}.")
