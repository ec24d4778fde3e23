"""Prometheus metrics of the loops of this process, for `/metrics`. The numbers of several backends are to be added."""

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import Counter, Histogram

from vision_api.kit.clock import utc_now
from vision_api.models import TrainingJob
from vision_contracts import metric_names

_FRAMEWORK = ("framework",)
_WAITS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
_EPOCHS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600)
_LAGS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300)

QUEUE_WAIT = Histogram(
    "training_job_queue_wait_seconds", "From a user's start until an instance took it on.", _FRAMEWORK, buckets=_WAITS
)
EPOCH = Histogram("training_epoch_seconds", "How long an epoch took.", _FRAMEWORK, buckets=_EPOCHS)
EVENT_LAG = Histogram("training_event_lag_seconds", "From a trainer's event until it was stored.", buckets=_LAGS)
ENDINGS = Counter(
    "training_job_endings", "Jobs that completed, failed or were cancelled.", ("framework", "status", "reason")
)
RESTARTS = Counter("training_job_restarts", "Attempts lost through no fault of their job.", _FRAMEWORK)


def count_dispatch(job: TrainingJob) -> None:
    """Observe the queue wait of a dispatched job: of the first attempt since a user's start alone."""
    is_first = not job.restarts and (job.started_at is None or job.queued_at is None or job.started_at < job.queued_at)
    if is_first and job.queued_at is not None:
        QUEUE_WAIT.labels(job.framework).observe((utc_now() - job.queued_at).total_seconds())


def count_metrics(job: TrainingJob, values: Mapping[str, float | None]) -> None:
    """Observe the duration of an epoch, if a trainer's metrics have it."""
    if (seconds := values.get(metric_names.EPOCH_SECONDS)) is not None:
        EPOCH.labels(job.framework).observe(seconds)


def observe_stored(event_time: datetime) -> None:
    """Observe the lag of an event that is committed now. Clocks differ, so that a negative lag counts as 0."""
    EVENT_LAG.observe(max(0.0, (utc_now() - event_time).total_seconds()))
