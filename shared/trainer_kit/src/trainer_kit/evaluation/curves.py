"""Precision, recall and F1 of detections at an overlap of 0.5, by score threshold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer_kit.evaluation.base import Floats, ratio, rounded
from trainer_kit.evaluation.matching import HIT, NOT_COUNTED
from vision_contracts import Curve

SCORES = np.linspace(0.0, 1.0, 101)
"""Score thresholds at which the curves are sampled."""


class ScoreCurves:
    """Curves of every class, and their mean over the labelled classes.

    `detections` are, for each class, scores from high to low and the codes of `matching`; `labelled` is the number of
    its labels.
    """

    def __init__(
        self, class_names: Sequence[str], detections: Sequence[tuple[Floats, NDArray[np.int8]]], labelled: Sequence[int]
    ) -> None:
        self._class_names = class_names
        self._labelled = np.array(labelled)
        sampled = [_sample(scores, codes, count) for (scores, codes), count in zip(detections, labelled, strict=True)]
        self.precision, self.recall = (np.array(rows).reshape(-1, len(SCORES)) for rows in zip(*sampled, strict=True))
        self.f1 = ratio(2 * self.precision * self.recall, self.precision + self.recall)
        present = self._labelled > 0
        self._mean_f1 = self.f1[present].mean(0) if present.any() else np.zeros(len(SCORES))
        self._best = int(self._mean_f1.argmax())

    def values(self) -> dict[str, float | None]:
        """Means over the labelled classes, at the score threshold with the highest mean F1 (`best_score`)."""
        present = self._labelled > 0
        if not present.any():
            return {"best_score": None, "precision": None, "recall": None, "f1": None}
        return {
            "best_score": float(SCORES[self._best]),
            "precision": float(self.precision[present, self._best].mean()),
            "recall": float(self.recall[present, self._best].mean()),
            "f1": float(self._mean_f1[self._best]),
        }

    def values_of(self, label: int) -> dict[str, float | None]:
        """Precision, recall and F1 of one class at `best_score`; None if it has no labels."""
        named = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {name: float(rows[label, self._best]) if self._labelled[label] else None for name, rows in named.items()}

    def to_curves(self) -> list[Curve]:
        """Curves of the report: those of each labelled class, and the mean F1."""
        curves = [Curve(name="f1_confidence", x=rounded(SCORES), y=list(rounded(self._mean_f1)))]
        for label in np.flatnonzero(self._labelled).tolist():
            name = self._class_names[label]
            precision, recall, f1 = (rounded(rows[label]) for rows in (self.precision, self.recall, self.f1))
            found = [index for index, share in enumerate(recall) if share > 0]
            x, y = [recall[index] for index in found], [precision[index] for index in found]
            curves.append(Curve(name="precision_recall", class_name=name, x=x, y=list(y)))
            curves.append(Curve(name="f1_confidence", class_name=name, x=rounded(SCORES), y=list(f1)))
        return curves


def _sample(scores: Floats, codes: NDArray[np.int8], labelled: int) -> tuple[Floats, Floats]:
    """Precision and recall of the detections with at least each of `SCORES`; both are 0 where there are none."""
    counted = codes != NOT_COUNTED
    scores, hits = scores[counted], np.cumsum(codes[counted] == HIT)
    shown = np.searchsorted(-scores, -SCORES, side="right")
    correct = np.append(0, hits)[shown]
    return ratio(correct, shown), ratio(correct, np.array(labelled))
