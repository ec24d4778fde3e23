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
    """Takes in predictions batch by batch. How depends on the task: see the classes."""

    primary_metric: str
    """The name, as on the wire, of the number that tells the better of two checkpoints. More is better."""
    gallery: Gallery
    """Images to draw, where it was told of them."""

    def values(self) -> dict[str, float]:
        """Metrics of one epoch by their names on the wire: `val/accuracy`, `val/map50_95`, …"""
        ...

    def evaluate(self) -> SplitEvaluation:
        """Everything that a report says. Costs more than `values`: ask for the best epoch only."""
        ...


def ratio(part: NDArray[np.generic], whole: NDArray[np.generic]) -> NDArray[np.float64]:
    """Element by element; 0 where the whole is 0."""
    shape = np.broadcast_shapes(part.shape, whole.shape)
    return np.divide(part, whole, out=np.zeros(shape), where=np.broadcast_to(whole != 0, shape))


def mean(values: NDArray[np.floating]) -> float:
    """0 of nothing: a validation without labels has found nothing."""
    return float(values.mean()) if values.size else 0.0


def defined(value: float) -> float | None:
    """Null for what is not a number."""
    return float(value) if math.isfinite(value) else None


def rounded(values: NDArray[np.floating]) -> list[float]:
    """Enough digits to draw a curve."""
    return np.round(values, 4).tolist()
