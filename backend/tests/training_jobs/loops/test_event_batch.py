"""Application of batches of events to a job, on both databases."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import pytest
from sqlalchemy import select
from support.job_rows import MakeJob, reload

from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import Artifact, GarbageObject, JobStatus, MetricPoint, TrainingJob
from vision_api.training_jobs.loops.event_batch import EventBatch
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION, Retention
from vision_api.training_jobs.repository import list_events, list_log_lines
from vision_api.version import VERSION
from vision_contracts import Artifact as ArtifactBody
from vision_contracts import (
    ArtifactKind,
    Cancelled,
    Checkpoint,
    EndReason,
    EventBody,
    Failed,
    Finished,
    JobEvent,
    Log,
    LogLevel,
    Metrics,
    Paused,
    Progress,
    Started,
)

S = JobStatus
Apply = Callable[..., Awaitable[TrainingJob]]


@pytest.fixture
def apply(database: Database) -> Apply:
    """Applies bodies as the next events of the job's current attempt, in one batch."""

    async def apply(job: TrainingJob, *bodies: EventBody, retention: Retention = DEFAULT_RETENTION) -> TrainingJob:
        async with database.transaction() as session:
            row = await reload(session, job)
            first = row.service_cursor + 1
            events = [
                JobEvent(seq=first + index, attempt=row.attempt, time=utc_now(), body=body)
                for index, body in enumerate(bodies)
            ]
            await EventBatch(session, row, retention).apply(events)
        return row

    return apply


@pytest.fixture
async def running(make_job: MakeJob) -> TrainingJob:
    return await make_job(status=S.RUNNING, attempt=1, started_at=utc_now())


def loss(step: int, value: float | None = 1.0, name: str = "train/loss") -> Metrics:
    return Metrics(step=step, epoch=0, values={name: value})


def checkpoint(step: int, *, is_best: bool = False) -> Checkpoint:
    return Checkpoint(
        name="checkpoints/last.pt", uri=f"file:///s/{step}.pt", step=step, epoch=step, is_best=is_best,
        sha256="0" * 64, size_bytes=10,
    )  # fmt: skip


async def points_of(database: Database, job: TrainingJob) -> dict[tuple[str, int], float | None]:
    async with database.snapshot() as session:
        points = await session.scalars(select(MetricPoint).where(MetricPoint.job_id == job.id))
        return {(point.name, point.step): point.value for point in points}


async def event_types(database: Database, job: TrainingJob) -> list[str]:
    async with database.snapshot() as session:
        events = await list_events(session, job.id, after=0, limit=1000)
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    return [event.type for event in events]


async def test_the_started_event_makes_a_job_run(database: Database, make_job: MakeJob, apply: Apply) -> None:
    job = await make_job(status=S.STARTING, attempt=1)

    stored = await apply(job, Started(resume_step=0, device="cpu", num_classes=10, versions={"torch": "2.15.0"}))

    assert (stored.status, stored.num_classes) == ("running", 10)
    assert stored.environment == {"device": "cpu", "versions": {"torch": "2.15.0"}, "platform": VERSION}
    assert stored.started_at is not None
    assert await event_types(database, job) == ["status"]


async def test_metrics_are_stored_and_the_last_validation_is_shown(
    database: Database, running: TrainingJob, apply: Apply
) -> None:
    stored = await apply(
        running,
        Metrics(step=5, epoch=1, values={"val/accuracy": 0.5, "val/loss": 2.0}),
        Metrics(step=10, epoch=2, values={"val/accuracy": 0.4, "val/loss": None, "train/loss": 0.1}),
    )

    assert (stored.accuracy, stored.loss, stored.primary_value) == (0.4, None, 0.4)
    assert len(await points_of(database, running)) == 5


async def test_a_step_that_comes_twice_is_one_point(database: Database, running: TrainingJob, apply: Apply) -> None:
    await apply(running, loss(1, 0.9), loss(1, 0.8))
    await apply(running, loss(1, 0.7))

    assert await points_of(database, running) == {("train/loss", 1): 0.7}


async def test_events_that_were_applied_already_or_are_of_another_attempt_are_ignored(
    database: Database, running: TrainingJob
) -> None:
    def event(seq: int, attempt: int) -> JobEvent:
        return JobEvent(seq=seq, attempt=attempt, time=utc_now(), body=loss(seq * 10 + attempt))

    for batch in ([event(1, 1), event(2, 1)], [event(1, 1), event(2, 1), event(3, 1)], [event(4, 7)]):
        async with database.transaction() as session:
            await EventBatch(session, await reload(session, running), DEFAULT_RETENTION).apply(batch)

    assert sorted(step for _, step in await points_of(database, running)) == [11, 21, 31]
    assert len(await event_types(database, running)) == 3


async def test_a_resumed_attempt_deletes_the_points_that_it_will_send_again(
    database: Database, running: TrainingJob, apply: Apply
) -> None:
    await apply(running, loss(1), checkpoint(1), loss(2), loss(3))

    await apply(running, Started(resume_step=1, device="cpu"), loss(2, 0.5))

    assert await points_of(database, running) == {("train/loss", 1): 1.0, ("train/loss", 2): 0.5}
    assert (await event_types(database, running))[-2:] == ["rewind", "metrics"]


async def test_a_rewind_reaches_into_its_own_batch(database: Database, running: TrainingJob, apply: Apply) -> None:
    await apply(running, loss(1), loss(2), Started(resume_step=1, device="cpu"), loss(2, 0.5))

    assert await points_of(database, running) == {("train/loss", 1): 1.0, ("train/loss", 2): 0.5}


async def test_progress_is_one_event_a_batch(database: Database, running: TrainingJob, apply: Apply) -> None:
    stored = await apply(
        running, *(Progress(epoch=0, epochs=2, step=step, steps=10, eta_seconds=9.0) for step in (1, 2, 3))
    )

    assert (stored.progress_step, stored.progress_steps, stored.eta_seconds) == (3, 10, 9.0)
    async with database.snapshot() as session:
        [event] = await list_events(session, running.id, after=0, limit=10)
    assert event.data == {"epoch": 0, "epochs": 2, "step": 3, "steps": 10, "percent": 30.0, "eta_seconds": 9.0}


async def test_log_lines_are_numbered(database: Database, running: TrainingJob, apply: Apply) -> None:
    await apply(running, Log(message="one"), Log(level=LogLevel.ERROR, message="two"))
    await apply(running, Log(message="three"))

    async with database.snapshot() as session:
        lines = await list_log_lines(session, running.id, after=1, level=LogLevel.DEBUG, limit=10)
        errors = await list_log_lines(session, running.id, after=0, level=LogLevel.WARNING, limit=10)
    assert [(line.line_id, line.message) for line in lines] == [(2, "two"), (3, "three")]
    assert [line.message for line in errors] == ["two"]


async def test_characters_that_the_database_cannot_store_are_replaced(
    database: Database, running: TrainingJob, apply: Apply
) -> None:
    stored = await apply(running, Log(message="a\0b\ud800"), Failed(reason=EndReason.INTERNAL, message="\0 and \udfff"))

    assert stored.error_message == "\ufffd and ?"
    async with database.snapshot() as session:
        [line] = await list_log_lines(session, running.id, after=0, level=LogLevel.DEBUG, limit=10)
    assert line.message == "a\ufffdb?"


async def test_only_the_newest_events_and_lines_are_kept(
    database: Database, running: TrainingJob, apply: Apply
) -> None:
    await apply(running, *(Log(message=str(index)) for index in range(8)), retention=Retention(5, 2))

    async with database.snapshot() as session:
        events = await list_events(session, running.id, after=0, limit=100)
        lines = await list_log_lines(session, running.id, after=0, level=LogLevel.DEBUG, limit=100)
    assert [event.event_id for event in events] == [4, 5, 6, 7, 8]
    assert [line.message for line in lines] == ["6", "7"]


async def test_old_rows_are_deleted_once_another_tenth_has_come(
    database: Database, running: TrainingJob, apply: Apply
) -> None:
    kept: list[int] = []
    for _ in range(60):
        await apply(running, Log(message="one"), retention=Retention(events=40, log_lines=40))
        async with database.snapshot() as session:
            kept.append(len(await list_log_lines(session, running.id, after=0, level=LogLevel.DEBUG, limit=1000)))

    assert kept[:44] == [*range(1, 44), 40]
    assert kept[44:52] == [41, 42, 43, 40, 41, 42, 43, 40]


async def artifacts_of(database: Database, job: TrainingJob) -> tuple[dict[str, str], set[str]]:
    async with database.snapshot() as session:
        artifacts = await session.scalars(select(Artifact).where(Artifact.job_id == job.id))
        garbage = await session.scalars(select(GarbageObject.uri))
        return {each.name: each.uri for each in artifacts}, set(garbage)


async def test_checkpoints_take_their_names_and_leave_garbage(
    database: Database, running: TrainingJob, apply: Apply
) -> None:
    stored = await apply(running, checkpoint(1, is_best=True), checkpoint(2), checkpoint(3))

    names, garbage = await artifacts_of(database, running)
    assert names == {"checkpoints/last.pt": "file:///s/3.pt", "checkpoints/best.pt": "file:///s/1.pt"}
    assert garbage == {"file:///s/2.pt"}
    assert (stored.checkpoint_uri, stored.checkpoint_step) == ("file:///s/3.pt", 3)

    await apply(running, checkpoint(4, is_best=True))

    names, garbage = await artifacts_of(database, running)
    assert set(names.values()) == {"file:///s/4.pt"}
    assert garbage == {f"file:///s/{step}.pt" for step in (1, 2, 3)}


async def test_an_artifact_is_listed(database: Database, running: TrainingJob, apply: Apply) -> None:
    await apply(
        running,
        ArtifactBody(
            name="report.json", kind=ArtifactKind.REPORT, uri="file:///s/report.json", size_bytes=2, sha256="0" * 64,
            content_type="application/json",
        ),
    )  # fmt: skip

    assert await artifacts_of(database, running) == ({"report.json": "file:///s/report.json"}, set())
    assert await event_types(database, running) == ["artifact"]


async def test_a_finished_job_shows_its_best_scores(database: Database, running: TrainingJob, apply: Apply) -> None:
    await apply(running, Metrics(step=10, epoch=2, values={"val/accuracy": 0.4, "val/loss": 3.0}))

    stored = await apply(running, Finished(values={"val/accuracy": 0.9, "val/loss": 1.0}))

    assert (stored.status, stored.accuracy, stored.loss, stored.primary_value) == ("completed", 0.9, 1.0, 0.9)
    assert stored.instance_id is None
    assert (await event_types(database, running))[-2:] == ["status", "end"]


BAD = Failed(reason=EndReason.BAD_DATA, message="Fix it.")
KILLED = Failed(reason=EndReason.TRAINER_KILLED, message="The trainer was killed.")
LOST = Failed(reason=EndReason.SERVICE_LOST, message="The service has vanished.")
UNSTORED = Failed(reason=EndReason.STORAGE_UNAVAILABLE, message="The storage does not answer.")
TIMED_OUT = Cancelled(reason=EndReason.TIMED_OUT)


ENDS: list[tuple[JobStatus, EventBody, str, str | None]] = [
    (S.RUNNING, BAD, "failed", "bad_data"),
    (S.STARTING, BAD, "failed", "bad_data"),
    (S.RUNNING, Failed(reason=EndReason.TIMED_OUT, message="It is late."), "cancelled", "timed_out"),
    (S.RUNNING, TIMED_OUT, "cancelled", "timed_out"),
    (S.STOPPING, Cancelled(), "cancelled", "stopped_by_user"),
    (S.STOPPING, Paused(), "cancelled", "stopped_by_user"),
    (S.STOPPING, KILLED, "cancelled", "stopped_by_user"),
    (S.STOPPING, Finished(), "completed", None),
    (S.PAUSING, Paused(), "paused", None),
    (S.PAUSING, KILLED, "paused", None),
    (S.RUNNING, Paused(), "queued", "platform_stopped"),
    (S.STARTING, KILLED, "queued", None),
]
"""Status, terminal event, and the status and reason that follow."""


async def test_an_end_has_its_status_and_reason(make_job: MakeJob, apply: Apply) -> None:
    for status, body, expected, reason in ENDS:
        job = await make_job(status=status, attempt=1, timeout_seconds=60, lease_owner=uuid4())

        stored = await apply(job, body)

        assert (stored.status, stored.status_reason) == (expected, reason), (status, body)
        assert (stored.error_message is not None) == (expected == "failed")
        assert stored.lease_owner is None


async def test_the_proposal_of_a_failed_attempt_is_stored_and_sent(
    database: Database, running: TrainingJob, apply: Apply
) -> None:
    proposal = {"batch_size": 8}

    stored = await apply(
        running, Failed(reason=EndReason.OUT_OF_MEMORY, message="Retry with 8.", proposed_changes=proposal)
    )

    assert (stored.error_message, stored.proposed_changes) == ("Retry with 8.", proposal)
    async with database.snapshot() as session:
        events = await list_events(session, running.id, after=0, limit=10)
    assert events[-1].data == {"status": "failed", "status_reason": "out_of_memory", "proposed_changes": proposal}


@pytest.mark.parametrize("unknown", [{"batch_size": 0}, {"patch_size": 8}, {}])
async def test_a_proposal_that_a_retry_would_refuse_is_dropped(
    running: TrainingJob, apply: Apply, unknown: dict[str, int]
) -> None:
    stored = await apply(running, Failed(reason=EndReason.OUT_OF_MEMORY, message="m", proposed_changes=unknown))

    assert (stored.status, stored.proposed_changes) == ("failed", None)


ENDED_BY_THE_BACKEND: list[tuple[dict[str, object], EventBody, EndReason]] = [
    ({"status": S.STOPPING}, Cancelled(), EndReason.STOPPED_BY_USER),
    ({"status": S.STOPPING}, KILLED, EndReason.STOPPED_BY_USER),
    ({"status": S.RUNNING, "timeout_seconds": 60}, TIMED_OUT, EndReason.TIMED_OUT),
    ({"status": S.RUNNING, "restarts": 5}, KILLED, EndReason.TRAINER_KILLED),
    ({"status": S.RUNNING, "idle_restarts": 2}, KILLED, EndReason.TRAINER_KILLED),
    ({"status": S.RUNNING, "restarts": 5}, LOST, EndReason.SERVICE_LOST),
    ({"status": S.RUNNING, "restarts": 5}, UNSTORED, EndReason.STORAGE_UNAVAILABLE),
]


async def test_the_message_of_an_end_names_the_next_request(make_job: MakeJob, apply: Apply) -> None:
    """The messages of a service itself stay unchanged; its own tests check their advice."""
    left: dict[str, object] = {"checkpoint_uri": "file:///s/9.pt", "checkpoint_step": 9}
    for fields, body, reason in ENDED_BY_THE_BACKEND:
        for checkpoint, says in (({}, "retry it to train from the beginning"), (left, "checkpoint at step 9")):
            stored = await apply(await make_job(attempt=1, **(fields | checkpoint)), body)

            assert stored.status_reason == reason
            assert says in (stored.status_message or "")


async def restart_again(
    database: Database, apply: Apply, job: TrainingJob, *bodies: EventBody
) -> tuple[str, str | None]:
    """Run the next attempt, apply `bodies`, and kill it."""
    async with database.transaction() as session:
        row = await reload(session, job)
        row.status = S.RUNNING
        row.attempt += 1
        row.service_cursor = 0
    stored = await apply(job, *bodies, KILLED)
    return stored.status, stored.status_reason


async def outcomes(
    database: Database, apply: Apply, job: TrainingJob, attempts: Sequence[Sequence[EventBody]]
) -> list[tuple[str, str | None]]:
    return [await restart_again(database, apply, job, *bodies) for bodies in attempts]


async def test_two_restarts_without_a_checkpoint_end_it(database: Database, make_job: MakeJob, apply: Apply) -> None:
    job = await make_job()

    assert await outcomes(database, apply, job, [[], [], []]) == [
        ("queued", None), ("queued", "backing_off"), ("failed", "trainer_killed"),
    ]  # fmt: skip


async def test_checkpoints_allow_five_restarts(database: Database, make_job: MakeJob, apply: Apply) -> None:
    job = await make_job()

    ends = await outcomes(database, apply, job, [[checkpoint(step)] for step in range(1, 7)])

    assert [status for status, _ in ends] == ["queued"] * 5 + ["failed"]
    async with database.snapshot() as session:
        stored = await reload(session, job)
    assert stored.error_message is not None
    assert "restarted 5 times" in stored.error_message


async def test_the_platforms_own_stops_are_not_counted(database: Database, make_job: MakeJob, apply: Apply) -> None:
    job = await make_job(status=S.RUNNING, attempt=1)

    stored = await apply(job, Paused())

    assert (stored.restarts, stored.idle_restarts, stored.not_before) == (0, 0, None)
