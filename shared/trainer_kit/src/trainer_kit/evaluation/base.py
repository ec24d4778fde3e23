"""The interface of an evaluator, and what all of them need."""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer_kit.evaluation.gallery import Gallery
from vision_contracts import SplitEvaluation

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]


class Evaluator(Protocol):
    """Collects the predictions of a split, and computes its metrics. Its methods for predictions depend on the task:
    see the classes.
    """

    primary_metric: str
    """Name, as on the wire, of the metric that ranks checkpoints. Higher is better."""
    gallery: Gallery
    """Images to draw, with their predictions; empty unless predictions came with their samples."""

    def values(self) -> dict[str, float]:
        """Return the metrics of one epoch by their names on the wire: `val/accuracy`, `val/map50_95`, …"""
        ...

    def evaluate(self) -> SplitEvaluation:
        """Return all metrics, per class too, for a report. Slower than `values`: call it for the best epoch only."""
        ...


def ratio(part: NDArray[np.generic], whole: NDArray[np.generic]) -> NDArray[np.float64]:
    """Divide element by element; 0 where the whole is 0."""
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.divide(part, whole, out=np.zeros(shape), where=np.broadcast_to(whole != 0, shape))


def mean(values: NDArray[np.floating]) -> float:
    """Average of `values`; 0 if there are none, as in a validation without labels."""
    return float(values.mean()) if values.size else 0.0


def finite_or_none(value: float) -> float | None:
    """Return the value, or None for NaN and infinity, which JSON does not have."""
    return float(value) if math.isfinite(value) else None


def rounded(values: NDArray[np.floating]) -> list[float]:
    """Round to four digits, enough to draw a curve."""
    return np.round(values, 4).tolist()
