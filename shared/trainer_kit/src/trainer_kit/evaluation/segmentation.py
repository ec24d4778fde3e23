"""Evaluator of semantic segmentation: one label for each pixel."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data_kit import Sample
from trainer_kit.evaluation.base import Bools, Ints, finite_or_none, mean, ratio
from trainer_kit.evaluation.classification import class_quality, count_pairs
from trainer_kit.evaluation.gallery import Gallery
from trainer_kit.evaluation.truth import IGNORED, label_map
from vision_contracts import ClassEvaluation, ConfusionMatrix, SplitEvaluation, metric_names

LARGEST_SHOWN = 640
"""Longest side, in pixels, of a label map that is kept in the gallery."""


class SegmentationEvaluator:
    """Computes IoU and accuracy from one confusion matrix of pixels: its memory does not grow with the images."""

    primary_metric = metric_names.VAL_MIOU

    def __init__(self, label_names: Sequence[str]) -> None:
        self.label_names = tuple(label_names)
        self.confusion: Ints = np.zeros((len(label_names), len(label_names)), dtype=np.int64)
        self.gallery = Gallery()
        self._images = 0

    def add(self, sample: Sample, predictions: Ints) -> None:
        """Add an image and its predicted map of label ids (height, width), in pixels of the image.

        The gallery gets the map too, or every n-th row and column of a large one.
        """
        labels = label_map(sample)
        self.update(predictions[None], labels[None])
        wrong: Bools = np.not_equal(predictions, labels) & np.not_equal(labels, IGNORED)
        every = -(-max(predictions.shape) // LARGEST_SHOWN)
        self.gallery.offer(sample, predictions[::every, ::every].astype(np.uint8), mistake=float(wrong.mean()))

    def update(self, predictions: Ints, labels: Ints) -> None:
        """Add a batch of predicted and true maps of label ids, both (n, height, width)."""
        counted = labels != IGNORED
        self.confusion += count_pairs(labels[counted], predictions[counted], len(self.label_names))
        self._images += len(labels)

    def values(self) -> dict[str, float]:
        return {metric_names.VAL_MIOU: mean(self._overlaps()[self._occurs()])}

    def evaluate(self) -> SplitEvaluation:
        support = self.confusion.sum(1)
        by_class = {"iou": np.where(self._occurs(), self._overlaps(), np.nan), **class_quality(self.confusion)}
        return SplitEvaluation(
            images=self._images,
            values={
                "miou": self.values()[metric_names.VAL_MIOU],
                "pixel_accuracy": float(ratio(self.confusion.trace(), support.sum())),
                "mean_accuracy": mean(by_class["recall"][support > 0]),
            },
            classes=[
                ClassEvaluation(
                    name=name,
                    support=int(support[label]),
                    values={metric: finite_or_none(numbers[label]) for metric, numbers in by_class.items()},
                )
                for label, name in enumerate(self.label_names)
            ],
            confusion=ConfusionMatrix(labels=list(self.label_names), counts=self.confusion.tolist()),
        )

    def _occurs(self) -> NDArray[np.bool_]:
        """(classes,): true for classes that are labelled or predicted somewhere; the others do not count."""
        return self.confusion.sum(0) + self.confusion.sum(1) > 0

    def _overlaps(self) -> NDArray[np.float64]:
        both = self.confusion.diagonal()
        return ratio(both, self.confusion.sum(0) + self.confusion.sum(1) - both)
