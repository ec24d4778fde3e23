"""One experiment with everything that it is compared by."""

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
"""Points of these names stand at the last step of an epoch."""


@dataclass(frozen=True)
class ComparedJob:
    """As it was read at one moment."""

    job: TrainingJob
    card: ModelDetailRead | None
    """None where the framework's catalogue is not known any more."""
    best: Artifact | None
    """The best checkpoint."""
    best_values: dict[str, float | None]
    """Metrics at its step."""
    points: Sequence[Any]
    """Rows of (name, step, epoch, value, time), by name and step."""
    report: FoundReport

    @property
    def steps_per_epoch(self) -> float | None:
        """As its points tell; None before the first epoch is complete."""
        for point in self.points:
            if point.epoch > 0 and point.name.startswith(AT_THE_END_OF_AN_EPOCH):
                return point.step / point.epoch
        return None

    @property
    def epoch_seconds(self) -> float | None:
        """The median."""
        seconds = [point.value for point in self.points if point.name == metric_names.EPOCH_SECONDS]
        known = [value for value in seconds if value is not None]
        return median(known) if known else None


def wall_seconds(job: TrainingJob) -> float | None:
    """From the first step to the end."""
    if job.started_at is None or job.completed_at is None:
        return None
    return max(0.0, (job.completed_at - job.started_at).total_seconds())


def latency_seconds(speed: ModelSpeed | None) -> float | None:
    """For one image."""
    return next((each.batch_seconds for each in speed.batches if each.batch_size == 1), None) if speed else None


def finite(value: float | None) -> float | None:
    """Null for what is no number: a report may hold anything."""
    return value if value is not None and math.isfinite(value) else None
