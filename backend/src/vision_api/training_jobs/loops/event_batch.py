"""Application of a batch of events to a job: changes are gathered in order and written with one statement a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.events import next_event
from vision_api.training_jobs.instrumentation import count_metrics
from vision_api.training_jobs.kinds import rules_of
from vision_api.training_jobs.loops.repository import outputs
from vision_api.training_jobs.loops.retention import Retention, StoredCounts, delete_excess
from vision_api.training_jobs.restarts import end_attempt, leave_instance, requeue_stopped
from vision_api.training_jobs.schemas import TrainingJobUpdate
from vision_api.training_jobs.serializers import read_progress
from vision_api.training_jobs.status import StatusReason, next_step_advice, switch_status
from vision_api.version import VERSION
from vision_contracts import (
    Artifact,
    Cancelled,
    Checkpoint,
    EndReason,
    EventBody,
    Failed,
    Finished,
    JobEvent,
    Log,
    Metrics,
    Paused,
    Progress,
    Started,
    metric_names,
)


class EventBatch:
    """Applies events to one job whose row is locked, in one transaction."""

    def __init__(self, session: AsyncSession, job: TrainingJob, retention: Retention) -> None:
        self._session = session
        self._job = job
        self._retention = retention
        self._counts_before = StoredCounts.of(job)
        self._points: dict[tuple[str, int], dict[str, Any]] = {}
        self._log_lines: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []
        self._progress_at: datetime | None = None

    async def apply(self, events: Sequence[JobEvent]) -> None:
        """Apply the events that are new: those after `service_cursor`, since they come in order."""
        for event in events:
            if event.seq > self._job.service_cursor and event.attempt == self._job.attempt:
                self._job.service_cursor = event.seq
                await self._apply(event.body, event.time)
        self._flush_progress()
        await outputs.upsert_points(self._session, list(self._points.values()))
        await outputs.add_log_lines(self._session, self._log_lines)
        await outputs.add_events(self._session, self._events)
        await self._session.flush()
        await delete_excess(self._session, self._job, self._counts_before, self._retention)

    async def _apply(self, body: EventBody, time: datetime) -> None:
        match body:
            case Progress():
                self._progress(body, time)
            case Metrics():
                self._metrics(body, time)
            case Log():
                self._log(body, time)
            case Started():
                await self._started(body, time)
            case Checkpoint():
                await self._checkpoint(body, time)
            case Artifact():
                await outputs.upsert_artifact(self._session, self._job, body, time)
                self._add_event("artifact", body.model_dump(exclude={"type", "uri"}), time)
            case Finished() | Failed() | Cancelled() | Paused():
                self._flush_progress()
                self._ended(body, time)

    def _add_event(self, kind: str, data: Mapping[str, Any], time: datetime) -> None:
        self._events.append(next_event(self._job, kind, data, time=time))

    def _progress(self, body: Progress, time: datetime) -> None:
        """Take over progress. Only the last of a batch becomes an event, since each replaces the one before."""
        job = self._job
        job.progress_epoch, job.progress_step, job.progress_steps = body.epoch, body.step, body.steps
        job.eta_seconds = body.eta_seconds
        self._progress_at = time

    def _flush_progress(self) -> None:
        if self._progress_at is not None:
            self._add_event("progress", read_progress(self._job).model_dump(), self._progress_at)
            self._progress_at = None

    def _metrics(self, body: Metrics, time: datetime) -> None:
        job_id, step, epoch = self._job.id, body.step, body.epoch
        for name, value in body.values.items():
            self._points[name, step] = {
                "job_id": job_id,
                "name": name,
                "step": step,
                "epoch": epoch,
                "value": value,
                "time": time,
            }
        self._store_scores(body.values)
        count_metrics(self._job, body.values)
        self._add_event("metrics", {"step": step, "epoch": epoch, "values": body.values}, time)

    def _store_scores(self, values: Mapping[str, float | None]) -> None:
        """Store the scores of a validation, if `values` have them."""
        if not rules_of(self._job).is_experiment:
            return  # metrics of an operation are points of its own, and no place on a leaderboard
        if metric_names.VAL_ACCURACY in values:
            self._job.accuracy = values[metric_names.VAL_ACCURACY]
        if metric_names.VAL_LOSS in values:
            self._job.loss = values[metric_names.VAL_LOSS]
        if (primary := metric_names.PRIMARY[self._job.task_type]) in values:
            self._job.primary_value = values[primary]

    def _log(self, body: Log, time: datetime) -> None:
        self._job.last_log_id += 1
        message = _storable(body.message)
        line = {"level": body.level, "message": message, "attempt": self._job.attempt}
        self._log_lines.append(line | {"job_id": self._job.id, "line_id": self._job.last_log_id, "time": time})
        self._add_event("log", {"id": self._job.last_log_id, "level": body.level, "message": message}, time)

    async def _started(self, body: Started, time: datetime) -> None:
        """Start to run. Points beyond the resume point will come again, so they are deleted in this transaction."""
        job = self._job
        job.started_at = job.started_at or time
        job.num_classes = body.num_classes
        job.environment = {"device": body.device, "versions": body.versions, "platform": VERSION}
        pending = len(self._points)
        self._points = {key: point for key, point in self._points.items() if point["step"] <= body.resume_step}
        deleted = await outputs.delete_points(self._session, job, beyond=body.resume_step)
        if deleted or len(self._points) < pending:
            self._add_event("rewind", {"step": body.resume_step}, time)
        if job.status == JobStatus.STARTING:
            switch_status(
                self._session, job, JobStatus.RUNNING, StatusReason(None, f"Training on {body.device}."), time=time
            )

    async def _checkpoint(self, body: Checkpoint, time: datetime) -> None:
        job = self._job
        await outputs.upsert_checkpoint(self._session, job, body, time)
        job.checkpoint_uri, job.checkpoint_step = body.uri, body.step
        job.idle_restarts = 0
        self._add_event("checkpoint", body.model_dump(exclude={"type", "uri", "state"}), time)

    def _ended(self, body: Finished | Failed | Cancelled | Paused, time: datetime) -> None:
        session, job = self._session, self._job
        match body:
            case Finished():
                self._store_scores(body.values)
                leave_instance(job)
                switch_status(session, job, JobStatus.COMPLETED, time=time)
            case Failed():
                message, changes = _storable(body.message), _acceptable(body.proposed_changes)
                end_attempt(session, job, body.reason, message, proposed_changes=changes, time=time)
            case Paused() if job.status == JobStatus.PAUSING:
                leave_instance(job)
                switch_status(session, job, JobStatus.PAUSED, StatusReason(None, "It was paused by a user."), time=time)
            case Paused() if job.status != JobStatus.STOPPING:
                requeue_stopped(session, job)
            case _:
                reason, fact = _cancellation(job, body)
                end_attempt(session, job, reason, f"{fact} {next_step_advice(job)}", time=time)


def _storable(text: str) -> str:
    """Replace what PostgreSQL cannot store: NUL and single surrogates."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _acceptable(changes: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return changes that a retry would accept, else None: a newer service may propose fields that are unknown here."""
    try:
        return changes if changes and TrainingJobUpdate.model_validate(changes) else None
    except ValidationError:
        return None


def _cancellation(job: TrainingJob, body: Cancelled | Paused) -> tuple[EndReason, str]:
    """Return the reason and what has happened. A request to stop is the cause unless the time limit was."""
    if isinstance(body, Cancelled) and body.reason is EndReason.TIMED_OUT:
        limit = f"It ran longer than its limit of {job.timeout_seconds or 0:g} seconds (`timeout_seconds`)."
        return EndReason.TIMED_OUT, limit
    return EndReason.STOPPED_BY_USER, "It was stopped by a user."
