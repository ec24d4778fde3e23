"""COCO's metrics of objects with a class and a score, given their overlaps with the labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainer_kit.evaluation.base import Bools, Floats, Ints, finite_or_none, mean
from trainer_kit.evaluation.curves import ScoreCurves
from trainer_kit.evaluation.gallery import Gallery
from trainer_kit.evaluation.matching import HIT, MISS, NOT_COUNTED, SIZES, THRESHOLDS, match, uncounted_labels
from vision_contracts import ClassEvaluation, ConfusionMatrix, SplitEvaluation, metric_names

MAX_DETECTIONS = 100
"""Limit per image and class, the best first; COCO takes 20 for keypoints."""

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which precision is sampled."""

BACKGROUND = "background"
CONFUSION_SCORE, CONFUSION_OVERLAP = 0.25, 0.5
"""Smallest score and overlap of a detection that counts in the confusion matrix."""


@dataclass
class _ClassDetections:
    """Detections of one class, image by image, best first; and the number of its labels by range of sizes."""

    labelled: Ints = field(default_factory=lambda: np.zeros(len(SIZES), dtype=np.int64))
    scores: list[Floats] = field(default_factory=list[Floats])
    codes: list[NDArray[np.int8]] = field(default_factory=list[NDArray[np.int8]])


@dataclass(frozen=True)
class _Quality:
    """Average precision and recall of one class, (sizes, thresholds); NaN without labels."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


class DetectionEvaluator:
    """Computes COCO's average precision and recall from images that are added one by one.

    It keeps a score and 40 bytes for each detection, and nothing of the images.
    """

    primary_metric = metric_names.VAL_MAP50_95

    def __init__(self, class_names: Sequence[str], *, max_detections: int = MAX_DETECTIONS) -> None:
        self.class_names = tuple(class_names)
        self.gallery = Gallery()
        self._max_detections = max_detections
        self._images = 0
        self._found = [_ClassDetections() for _ in class_names]
        self._confusion = np.zeros((len(class_names) + 1, len(class_names) + 1), dtype=np.int64)

    def update(
        self,
        overlap: Floats,
        *,
        scores: Floats,
        classes: Ints,
        areas: Floats,
        true_classes: Ints,
        true_areas: Floats,
        crowd: Bools | None = None,
        ignored: Bools | None = None,
    ) -> None:
        """Add an image with n detections and m labels: `overlap` (n, m) from 0 to 1 (see `overlaps`), scores, class ids
        and areas in pixels of the detections (n,), the same of the labels (m,).

        `ignored` labels (m,) count neither as found nor as missed; a `crowd` (m,) is ignored too, and may match several
        detections.
        """
        crowd = np.zeros(len(true_classes), dtype=bool) if crowd is None else crowd
        ignored = crowd if ignored is None else ignored | crowd
        order = np.argsort(-scores, kind="stable")
        overlap, scores, classes, areas = overlap[order], scores[order], classes[order], areas[order]
        occurring: list[int] = np.union1d(classes, true_classes).astype(int).tolist()
        for label in occurring:
            own, true = np.flatnonzero(classes == label)[: self._max_detections], true_classes == label
            uncounted = uncounted_labels(true_areas[true], ignored[true])
            found = self._found[label]
            found.labelled += (~uncounted).sum(1)
            found.scores.append(scores[own])
            found.codes.append(match(overlap[np.ix_(own, true)], areas[own], uncounted, crowd[true]))
        self._count_confusions(overlap, scores, classes, true_classes, ignored)
        self._images += 1

    def values(self) -> dict[str, float]:
        by_threshold = self._mean_precision(size=0)
        return {metric_names.VAL_MAP50_95: mean(by_threshold), metric_names.VAL_MAP50: float(by_threshold[0])}

    def evaluate(self) -> SplitEvaluation:
        qualities = [_quality(found, self._max_detections) for found in self._found]
        codes = [(scores, codes[0, 0]) for scores, codes in map(_joined, self._found)]
        curves = ScoreCurves(self.class_names, codes, [int(found.labelled[0]) for found in self._found])
        return SplitEvaluation(
            images=self._images,
            values=_summary(qualities) | self._average_recalls() | curves.values(),
            classes=[
                ClassEvaluation(
                    name=name,
                    support=int(self._found[label].labelled[0]),
                    values=_summary([qualities[label]]) | curves.values_of(label),
                )
                for label, name in enumerate(self.class_names)
            ],
            confusion=ConfusionMatrix(labels=[*self.class_names, BACKGROUND], counts=self._confusion.tolist()),
            curves=curves.to_curves(),
        )

    def _mean_precision(self, size: int) -> NDArray[np.float64]:
        """(thresholds,): average precision, mean over the labelled classes; 0 if there are none."""
        labelled = [found for found in self._found if found.labelled[size]]
        rows = [_quality(found, self._max_detections, sizes=[size]).precision[0] for found in labelled]
        return np.mean(rows, axis=0) if rows else np.zeros(len(THRESHOLDS))

    def _average_recalls(self) -> dict[str, float | None]:
        """Recall with the best 1, 10, … detections of each image and class."""
        limits = [limit for limit in (1, 10) if limit < self._max_detections]
        recalls = {
            f"ar_max{limit}": [_quality(found, limit, sizes=[0]).recall for found in self._found if found.labelled[0]]
            for limit in limits
        }
        return {name: finite_or_none(float(np.mean(rows))) if rows else None for name, rows in recalls.items()}

    def _count_confusions(
        self, overlap: Floats, scores: Floats, classes: Ints, true_classes: Ints, ignored: Bools
    ) -> None:
        """Pair detections and labels of any class, the largest overlap first, and count the pairs."""
        background = len(self.class_names)
        confident = scores >= CONFUSION_SCORE
        close = np.where(confident[:, None], overlap, 0.0)
        found, labelled = np.nonzero(close >= CONFUSION_OVERLAP)
        order = np.argsort(-close[found, labelled], kind="stable")
        free_found, free_labels = confident.copy(), np.ones(len(true_classes), dtype=bool)
        for own, true in zip(found[order].tolist(), labelled[order].tolist(), strict=True):
            if free_found[own] and free_labels[true]:
                free_found[own] = False
                free_labels[true] = ignored[true]
                self._confusion[true_classes[true], classes[own]] += not ignored[true]
        missed = true_classes[free_labels & ~ignored]
        self._confusion[background] += np.bincount(classes[free_found], minlength=background + 1)
        self._confusion[:, background] += np.bincount(missed, minlength=background + 1)


def _joined(found: _ClassDetections, limit: int | None = None) -> tuple[Floats, NDArray[np.int8]]:
    """Scores and codes of all images, the best `limit` of each, best score first."""
    if not found.scores:
        return np.zeros(0), np.zeros((len(SIZES), len(THRESHOLDS), 0), dtype=np.int8)
    scores = np.concatenate([scores[:limit] for scores in found.scores])
    codes = np.concatenate([codes[..., :limit] for codes in found.codes], axis=-1)
    order = np.argsort(-scores, kind="stable")
    return scores[order], codes[..., order]


def _quality(found: _ClassDetections, limit: int, sizes: Sequence[int] = range(len(SIZES))) -> _Quality:
    """Average precision and highest recall of the best `limit` detections of each image."""
    _, codes = _joined(found, limit)
    precision = np.full((len(sizes), len(THRESHOLDS)), np.nan)
    recall = precision.copy()
    for row, size in enumerate(sizes):
        for column in range(len(THRESHOLDS) if found.labelled[size] else 0):
            counted = codes[size, column]
            counted = counted[counted != NOT_COUNTED]
            precision[row, column], recall[row, column] = _area(counted == HIT, counted == MISS, found.labelled[size])
    return _Quality(precision, recall)


def _area(hits: Bools, misses: Bools, labelled: int) -> tuple[float, float]:
    """Area under precision over recall, made monotonous and read at 101 recalls; and the last recall."""
    correct, wrong = np.cumsum(hits, dtype=np.float64), np.cumsum(misses, dtype=np.float64)
    recall, precision = correct / labelled, correct / (correct + wrong)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    area = envelope[np.searchsorted(recall, RECALLS, side="left")].mean()
    return float(area), float(recall[-1]) if len(recall) else 0.0


def _summary(qualities: Sequence[_Quality]) -> dict[str, float | None]:
    """COCO's metrics as means over the labelled classes; None if there are none."""
    precision, recall = (np.array([getattr(one, name) for one in qualities]) for name in ("precision", "recall"))
    numbers: Mapping[str, NDArray[np.float64]] = {
        "map50_95": precision[:, 0],
        "map50": precision[:, 0, 0],
        "map75": precision[:, 0, 5],
        **{f"map50_95_{name}": precision[:, row] for row, name in enumerate(SIZES) if name},
        "ar": recall[:, 0],
        **{f"ar_{name}": recall[:, row] for row, name in enumerate(SIZES) if name},
    }
    known = {name: rows[~np.isnan(rows)] for name, rows in numbers.items()}
    return {name: float(rows.mean()) if rows.size else None for name, rows in known.items()}
