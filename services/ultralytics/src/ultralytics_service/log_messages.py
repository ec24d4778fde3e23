"""Lines of a training's log, in plain words."""

from trainer_kit.trainer import TrainingRun
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.library import BaseTrainer
from vision_contracts import metric_names

Run = TrainingRun[CommonHyperparameters]


def log_start(run: Run, trainer: BaseTrainer) -> None:
    """Log model, data, steps, optimizer and device."""
    run.log(
        f"{run.spec.model_name} learns {trainer.data['nc']} classes from {len(trainer.train_loader.dataset)} images "
        f"of {trainer.args.imgsz} px, and is validated on {len(trainer.test_loader.dataset)}; "
        f"{len(trainer.train_loader)} steps per epoch, {run.batch_description}, {trainer.args.optimizer} "
        f"with learning rate {trainer.args.lr0:g}, on {trainer.device}."
    )


def log_epoch(run: Run, trainer: BaseTrainer, epoch: int) -> None:
    """Log losses, primary metric and seconds of one epoch."""
    name, values = run.history.primary_metric, run.history.epochs[epoch]
    loss = sum(float(value) for value in trainer.tloss.values())
    run.log(
        f"Epoch {epoch}/{trainer.epochs}: training loss {loss:.4g}, validation loss "
        f"{values[metric_names.VAL_LOSS]:.4g}, {name} {values[name]:.4f}, "
        f"{values[metric_names.EPOCH_SECONDS]:.1f} s."
    )


def log_early_end(run: Run, trainer: BaseTrainer) -> None:
    """Log that `patience` has ended the training, if it has."""
    if trainer.stopper.possible_stop and trainer.epoch + 1 < trainer.epochs:
        run.log(
            f"Ended early: epoch {trainer.stopper.best_epoch} was the best, and {trainer.args.patience} more "
            f"(patience) brought nothing better."
        )
