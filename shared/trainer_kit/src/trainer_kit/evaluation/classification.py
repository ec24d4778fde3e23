"""Evaluator of image classification: one label for each image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_kit import Sample
from trainer_kit.evaluation.base import Bools, Floats, Ints, finite_or_none, mean, ratio, rounded
from trainer_kit.evaluation.gallery import Gallery
from trainer_kit.evaluation.truth import image_classes
from vision_contracts import ClassEvaluation, ConfusionMatrix, Curve, SplitEvaluation, metric_names

CALIBRATION_BINS = 15
MOST_SCORES = 2**24
"""Limit of the probabilities that are kept for ROC AUC (64 MB); the AUC of a larger split is null."""


@dataclass(frozen=True)
class TopPrediction:
    """The most probable class of an image."""

    class_id: int
    confidence: float


class ClassificationEvaluator:
    """Computes accuracy, calibration, ROC AUC and the confusion matrix from the class probabilities of each image."""

    primary_metric = metric_names.VAL_ACCURACY

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.gallery = Gallery()
        self._labels: list[Ints] = []
        self._predicted: list[Ints] = []
        self._ranks: list[Ints] = []
        self._confidence: list[Floats] = []
        self._scores: list[Floats] | None = []
        self._kept = 0

    def add(self, samples: Sequence[Sample], probabilities: Floats) -> None:
        """Add a batch: probabilities (n, classes) that sum to 1 for each image. The gallery gets `TopPrediction`s.

        Raises ValueError for a sample without a class.
        """
        self.update(probabilities, image_classes(samples))
        predicted, confidences = self._predicted[-1].tolist(), self._confidence[-1].tolist()
        for sample, class_id, confidence in zip(samples, predicted, confidences, strict=True):
            mistake = confidence if class_id != sample.class_id else 0.0
            self.gallery.offer(sample, TopPrediction(class_id, confidence), mistake=mistake)

    def update(self, probabilities: Floats, labels: Ints) -> None:
        """Add a batch: probabilities (n, classes) that sum to 1 for each image, and class ids (n,)."""
        probabilities = np.nan_to_num(probabilities)  # a network that has diverged gives NaN
        labels = np.asarray(labels, dtype=np.int64)
        predicted = probabilities.argmax(1)
        confidence = np.take_along_axis(probabilities, predicted[:, None], axis=1)[:, 0]
        self._labels.append(labels)
        self._predicted.append(predicted)
        self._ranks.append(_ranks(probabilities, labels))
        self._confidence.append(confidence.astype(np.float64))
        self._kept += probabilities.size
        if self._kept > MOST_SCORES:
            self._scores = None
        elif self._scores is not None:
            self._scores.append(probabilities.astype(np.float32, copy=False))

    def values(self) -> dict[str, float]:
        return {metric_names.VAL_ACCURACY: float(np.mean(self._hits(1)))}

    def evaluate(self) -> SplitEvaluation:
        hits, confusion = self._hits(1), self._confusion()
        by_class = class_quality(confusion)
        support, auc = confusion.sum(1), self._auc()
        calibration, error = calibrate(np.concatenate(self._confidence), hits)
        values = {
            "accuracy": float(hits.mean()),
            "top5_accuracy": float(self._hits(5).mean()) if len(self.class_names) > 5 else None,
            **average_quality(by_class, confusion),
            "expected_calibration_error": error,
            "roc_auc": finite_or_none(float(np.nanmean(auc))) if np.isfinite(auc).any() else None,
        }
        by_class["roc_auc"] = auc
        return SplitEvaluation(
            images=len(hits),
            values=values,
            classes=[
                ClassEvaluation(
                    name=name,
                    support=int(support[label]),
                    values={metric: finite_or_none(numbers[label]) for metric, numbers in by_class.items()},
                )
                for label, name in enumerate(self.class_names)
            ],
            confusion=ConfusionMatrix(labels=list(self.class_names), counts=confusion.tolist()),
            curves=[calibration],
        )

    def _hits(self, top_k: int) -> NDArray[np.bool_]:
        """(n,): true where the label is among the `top_k` most probable classes."""
        return np.less(np.concatenate(self._ranks), top_k)

    def _confusion(self) -> Ints:
        return count_pairs(np.concatenate(self._labels), np.concatenate(self._predicted), len(self.class_names))

    def _auc(self) -> NDArray[np.float64]:
        """(classes,): ROC AUC of each class against the rest; NaN where a class has no images, or all of them."""
        if self._scores is None:
            return np.full(len(self.class_names), np.nan)
        scores, labels = np.concatenate(self._scores), np.concatenate(self._labels)
        return np.array([roc_auc(scores[:, label], labels == label) for label in range(len(self.class_names))])


def _ranks(probabilities: Floats, labels: Ints) -> Ints:
    """(n,): number of classes that rank before the label; equal ones rank by their ids."""
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    classes: Ints = np.arange(probabilities.shape[1], dtype=np.int64)
    before: Bools = np.less(classes, labels[:, None])
    return np.where(before, probabilities >= own, probabilities > own).sum(1)


def count_pairs(labels: Ints, predictions: Ints, num_labels: int) -> Ints:
    """Confusion matrix (labels, predictions): counts of pairs of ids from 0 to `num_labels` - 1."""
    pairs = labels.astype(np.int64) * num_labels + predictions
    return np.bincount(pairs, minlength=num_labels**2).reshape(num_labels, num_labels)


def class_quality(confusion: Ints) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and F1 of each class; 0 where there is nothing to divide by, as in scikit-learn."""
    correct = confusion.diagonal()
    precision, recall = ratio(correct, confusion.sum(0)), ratio(correct, confusion.sum(1))
    return {"precision": precision, "recall": recall, "f1": ratio(2 * precision * recall, precision + recall)}


def average_quality(by_class: dict[str, NDArray[np.float64]], confusion: Ints) -> dict[str, float | None]:
    """Averages over the classes that occur in labels or predictions: equally weighted (`…_macro`), and weighted by
    their images (`…_weighted`).
    """
    support = confusion.sum(1)
    occurs = support + confusion.sum(0) > 0
    macro = {f"{name}_macro": mean(numbers[occurs]) for name, numbers in by_class.items()}
    weighted = {f"{name}_weighted": float(np.average(of, weights=support)) for name, of in by_class.items()}
    return {**macro, **weighted}


def calibrate(confidence: Floats, correct: NDArray[np.bool_]) -> tuple[Curve, float]:
    """Calibration curve (accuracy by mean confidence, in bins) and expected calibration error, of predictions (n,)."""
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    mean_confidence = ratio(np.bincount(bins, confidence, CALIBRATION_BINS), counts)
    accuracy = ratio(np.bincount(bins, correct, CALIBRATION_BINS), counts)
    used = counts > 0
    x, used_counts = rounded(mean_confidence[used]), counts[used].tolist()
    curve = Curve(name="calibration", x=x, y=list(rounded(accuracy[used])), counts=used_counts)
    return curve, float(np.average(np.abs(mean_confidence - accuracy), weights=counts))


def roc_auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Probability that a positive has a higher score than a negative; equal scores count half. NaN without both."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
