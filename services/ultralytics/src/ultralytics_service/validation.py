"""One validation by the library, measured by the kit's evaluator too."""

import time
from typing import Any

from data_kit import Split
from trainer_kit.evaluation import as_one_class
from trainer_kit.trainer import TrainingRun
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.kinds import Kind
from ultralytics_service.library import BaseTrainer, BaseValidator
from ultralytics_service.metrics import validation_values
from ultralytics_service.predictions import PREDICTIONS, Predictions
from vision_contracts import metric_names


def validate(
    run: TrainingRun[CommonHyperparameters], trainer: BaseTrainer, kind: Kind, *, started_at: float
) -> tuple[dict[str, float], float | None]:
    """Validate the epoch that began at `started_at` of the monotonic clock, and report it.

    Returns the library's own measures, which stand beside the kit's, and the primary metric.
    """
    validator: Any = trainer.validator  # declared as None, which it is until the training begins
    predictions = collect_predictions(run, kind, validator, Split.VAL)
    metrics = validator(trainer)
    metrics.pop("fitness", None)
    values = validation_values(metrics)
    values[metric_names.EPOCH_SECONDS] = time.monotonic() - started_at
    epoch, history = trainer.epoch + 1, run.history
    run.report_epoch(epoch, values, predictions.evaluator)
    trainer.best_fitness = history.best[history.primary_metric]
    return metrics, history.epochs[epoch][history.primary_metric]


def collect_predictions(
    run: TrainingRun[CommonHyperparameters], kind: Kind, validator: BaseValidator, split: Split
) -> Predictions:
    """Collect from now on what `validator` predicts of a split."""
    is_one_class = getattr(run.hyperparameters, "single_cls", False)
    dataset = as_one_class(run.dataset) if is_one_class else run.dataset
    return PREDICTIONS[kind](kind, dataset, split, validator)
