"""A compared experiment with its card, metrics, curves and report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from vision_api.catalog.schemas import ModelDetailRead
from vision_api.models import Artifact, TrainingJob
from vision_api.training_jobs.results.reports import FoundReport
from vision_contracts import ModelSpeed, metric_names

AT_THE_END_OF_AN_EPOCH = ("val/", metric_names.EPOCH_SECONDS)
"""Points of these names are at the last step of an epoch."""


@dataclass(frozen=True)
class ComparedJob:
    """An experiment as it was read in one snapshot."""

    job: TrainingJob
    card: ModelDetailRead | None
    """None if the catalogue no longer has the model."""
    best: Artifact | None
    """The best checkpoint."""
    best_values: dict[str, float | None]
    """Metrics at its step."""
    points: Sequence[Any]
    """Rows of (name, step, epoch, value, time), by name and step."""
    report: FoundReport

    @property
    def steps_per_epoch(self) -> float | None:
        """Steps of one epoch, from the points; None before the first epoch is complete."""
        for point in self.points:
            if point.epoch > 0 and point.name.startswith(AT_THE_END_OF_AN_EPOCH):
                return point.step / point.epoch
        return None

    @property
    def epoch_seconds(self) -> float | None:
        """Median duration of an epoch."""
        seconds = [point.value for point in self.points if point.name == metric_names.EPOCH_SECONDS]
        known = [value for value in seconds if value is not None]
        return median(known) if known else None


def wall_seconds(job: TrainingJob) -> float | None:
    """Return the seconds from the first step to the end; None before the end."""
    if job.started_at is None or job.completed_at is None:
        return None
    return max(0.0, (job.completed_at - job.started_at).total_seconds())


def latency_seconds(speed: ModelSpeed | None) -> float | None:
    """Return the latency for a batch of one image; None if it was not measured."""
    return next((each.batch_seconds for each in speed.batches if each.batch_size == 1), None) if speed else None


def finite(value: float | None) -> float | None:
    """Return a finite value as it is, and None for NaN and infinity: a report may hold them."""
    return value if value is not None and math.isfinite(value) else None
