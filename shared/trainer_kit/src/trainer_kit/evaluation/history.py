"""What every validation of a job gave, over all its attempts, and which was the best."""

import math
from collections.abc import Mapping

from trainer_kit.evaluation.base import Evaluator
from vision_contracts import metric_names

Values = dict[str, float]


class History:
    """Metrics by completed epoch. A checkpoint keeps `epochs`, so that a resumed training goes on with them."""

    def __init__(self, primary_metric: str) -> None:
        self.primary_metric = primary_metric
        self.epochs: dict[int, Values] = {}
        self.best_epoch = 0
        """0: nothing was validated."""
        self.best_evaluator: Evaluator | None = None
        """What the best epoch predicted; None if an earlier attempt has validated it."""

    def restore(self, epochs: Mapping[int, Mapping[str, float]]) -> None:
        """Goes on with what a checkpoint has kept."""
        for epoch, values in epochs.items():
            self.add(epoch, values)

    def add(self, epoch: int, values: Mapping[str, float], evaluator: Evaluator | None = None) -> bool:
        """`epoch` epochs are complete. Whether this validation is the best so far.

        A smaller loss decides between equal values of the primary metric, and of complete equals the first stays.
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
        """A network of NaN is worse than any other, whatever it has guessed by chance."""
        primary, loss = values[self.primary_metric], values.get(metric_names.VAL_LOSS, math.inf)
        return (-math.inf, -math.inf) if math.isnan(primary) or math.isnan(loss) else (primary, -loss)
