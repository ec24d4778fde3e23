"""Metrics of every validation of a job, over all its attempts, and the best of them."""

import math
from collections.abc import Mapping

from trainer_kit.evaluation.base import Evaluator
from vision_contracts import metric_names

Values = dict[str, float]


class History:
    """Metrics by completed epoch. Checkpoints contain `epochs`, so that a resumed training continues with them."""

    def __init__(self, primary_metric: str) -> None:
        self.primary_metric = primary_metric
        self.epochs: dict[int, Values] = {}
        self.best_epoch = 0
        """Number of the best epoch, from 1; 0 before the first validation."""
        self.best_evaluator: Evaluator | None = None
        """Evaluator with the predictions of the best epoch; None if an earlier attempt validated it."""

    def restore(self, epochs: Mapping[int, Mapping[str, float]]) -> None:
        """Add the `epochs` of a checkpoint."""
        for epoch, values in epochs.items():
            self.add(epoch, values)

    def add(self, epoch: int, values: Mapping[str, float], evaluator: Evaluator | None = None) -> bool:
        """Add the validation after `epoch` complete epochs, and return whether it is the best so far.

        Between equal values of the primary metric the smaller loss decides, and between equal losses the first.
        """
        self.epochs[epoch] = dict(values)
        is_best = not self.best_epoch or self._rank(values) > self._rank(self.best)
        if is_best:
            self.best_epoch, self.best_evaluator = epoch, evaluator
        return is_best

    @property
    def best(self) -> Values:
        """Metrics of the best validation; empty before the first."""
        return self.epochs.get(self.best_epoch, {})

    def _rank(self, values: Mapping[str, float]) -> tuple[float, float]:
        """Sort key of a validation. A network that gives NaN ranks last, even if its predictions hit by chance."""
        primary, loss = values[self.primary_metric], values.get(metric_names.VAL_LOSS, math.inf)
        return (-math.inf, -math.inf) if math.isnan(primary) or math.isnan(loss) else (primary, -loss)
