"""Dispatch and reconcile against a small service: starts, their repetitions, and stops."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update
from support.common import MakeUser
from support.job_rows import Becomes, MakeJob, job_fields, reload
from support.small_service import TOKEN, SmallService, serving
from support.waiting import until

from data_kit import DiskReserve
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.disk_space.disks import Disks
from vision_api.kit.clock import utc_now
from vision_api.models import JobStatus, Project, TrainingJob, User
from vision_api.training_jobs import use_cases
from vision_api.training_jobs.loops.dispatch import Answer, DispatchLoop, StartRequest
from vision_api.training_jobs.loops.reconcile import ReconcileLoop
from vision_api.training_jobs.loops.repository import jobs as repository
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_services import InstanceRegistry, running_registry
from vision_contracts import HeldJob, Problem

S = JobStatus
OWNER = uuid4()
LONG_AGO = utc_now() - timedelta(hours=1)


@pytest.fixture
def service() -> SmallService:
    return SmallService()


@pytest.fixture
async def registry(settings: Settings, service: SmallService) -> AsyncIterator[InstanceRegistry]:
    """A registry of one instance, with one slot."""
    async with serving(service) as port:
        urls = {"small": (f"http://127.0.0.1:{port}",)}
        own = Settings(**(settings.model_dump() | {"service_urls": urls, "service_token": TOKEN}))
        async with running_registry(own) as registry:
            await until(lambda: registry.instances)
            yield registry


@pytest.fixture
def dispatch(database: Database, registry: InstanceRegistry) -> DispatchLoop:
    return DispatchLoop(database, registry, Notifier(), owner=OWNER)


@pytest.fixture
def reconcile(database: Database, registry: InstanceRegistry) -> ReconcileLoop:
    return ReconcileLoop(database, registry, Notifier(), owner=OWNER, grace_seconds=1)


async def stored(database: Database, job: TrainingJob) -> TrainingJob:
    async with database.snapshot() as session:
        return await reload(session, job)


def starts(service: SmallService) -> int:
    return sum(path == "/training/start" for _, path, _ in service.requests)


def refusal(status: int, code: str) -> Problem:
    return Problem(title="No", status=status, detail="Not now.", code=code)


async def test_the_most_urgent_and_then_the_oldest_job_gets_the_slot(
    database: Database, dispatch: DispatchLoop, make_job: MakeJob, service: SmallService
) -> None:
    old, urgent, new = [await make_job(status=S.QUEUED, priority=priority) for priority in (0, 5, 0)]

    await dispatch.tick()

    statuses = [((await stored(database, job)).status, (await stored(database, job)).status_reason)
                for job in (urgent, old, new)]  # fmt: skip
    assert statuses == [("starting", None), ("queued", "no_free_slot"), ("queued", "no_free_slot")]
    sent = await stored(database, urgent)
    assert (sent.attempt, sent.instance_id, sent.lease_owner) == (1, service.instance_id, None)
    assert [held.job_uid for held in service.held] == [urgent.job_uid]


async def test_attempts_that_a_restored_database_forgot_are_skipped(
    dispatch: DispatchLoop, database: Database, make_job: MakeJob
) -> None:
    job = await make_job(status=S.QUEUED, attempt=3, attempt_floor=103)

    await dispatch.tick()

    assert (await stored(database, job)).attempt == 104


async def test_the_request_that_queued_a_job_is_named_to_the_service(
    dispatch: DispatchLoop, make_job: MakeJob, service: SmallService
) -> None:
    await make_job(status=S.QUEUED, request_id="request-17")

    await dispatch.tick()

    [headers] = [headers for _, path, headers in service.requests if path == "/training/start"]
    assert headers["x-request-id"] == "request-17"


async def test_a_framework_without_a_service_waits(
    database: Database, dispatch: DispatchLoop, make_job: MakeJob
) -> None:
    job = await make_job(status=S.QUEUED, framework="other")

    await dispatch.tick()

    waiting = await stored(database, job)
    assert (waiting.status, waiting.status_reason, waiting.attempt) == ("queued", "service_unavailable", 0)


async def test_nothing_is_sent_while_the_disk_is_full_up_to_its_reserve(
    database: Database, registry: InstanceRegistry, make_job: MakeJob, service: SmallService, tmp_path: Path
) -> None:
    job, reserve = await make_job(status=S.QUEUED), 10**18

    await DispatchLoop(
        database, registry, Notifier(), owner=OWNER, disks=Disks({"data": DiskReserve(tmp_path, reserve)})
    ).tick()

    waiting = await stored(database, job)
    assert (waiting.status, waiting.status_reason, waiting.attempt) == ("queued", "storage_full", 0)
    assert starts(service) == 0


async def test_instance_that_finds_its_disk_full_makes_the_job_wait(
    database: Database, dispatch: DispatchLoop, make_job: MakeJob, service: SmallService
) -> None:
    job = await make_job(status=S.QUEUED)
    service.refusal = refusal(409, "storage_full")

    await dispatch.tick()

    waiting = await stored(database, job)
    assert (waiting.status, waiting.status_reason, waiting.attempt) == ("queued", "storage_full", 0)


async def test_a_user_has_only_so_many_slots(database: Database, registry: InstanceRegistry, make_job: MakeJob) -> None:
    await make_job(status=S.RUNNING, attempt=1, instance_id=uuid4())
    job = await make_job(status=S.QUEUED)

    await DispatchLoop(database, registry, Notifier(), owner=OWNER, max_running_jobs_per_user=1).tick()

    assert (await stored(database, job)).status_reason == "user_limit"


async def test_a_user_with_many_queued_jobs_does_not_crowd_out_another(
    database: Database,
    registry: InstanceRegistry,
    project: Project,
    owner: User,
    make_job: MakeJob,
    make_user: MakeUser,
) -> None:
    fields = {"project_id": project.id, "created_by_id": owner.id, "status": S.QUEUED, "queued_at": LONG_AGO}
    async with database.transaction() as session:
        session.add(TrainingJob(**job_fields(**(fields | {"status": S.RUNNING, "attempt": 1, "instance_id": uuid4()}))))
        session.add_all(TrainingJob(**job_fields(**fields)) for _ in range(repository.CANDIDATES))
    job = await make_job(status=S.QUEUED, created_by_id=(await make_user("late@example.com")).id)

    await DispatchLoop(database, registry, Notifier(), owner=OWNER, max_running_jobs_per_user=1).tick()

    assert (await stored(database, job)).status == S.STARTING


async def test_an_answer_after_the_job_was_taken_back_starts_nothing(
    database: Database, registry: InstanceRegistry, make_job: MakeJob
) -> None:
    class Hung(DispatchLoop):
        """Dispatch whose job is paused, resumed and leased again before the instance has answered."""

        async def _send(self, request: StartRequest) -> Answer:
            async with database.transaction() as session:
                row = await session.get_one(TrainingJob, request.job_id)
                row.instance_id = None
            return None

    job = await make_job(status=S.QUEUED)

    await Hung(database, registry, Notifier(), owner=OWNER).tick()

    assert (await stored(database, job)).status == S.QUEUED


async def test_a_busy_instance_does_not_cost_an_attempt(
    database: Database, dispatch: DispatchLoop, make_job: MakeJob, service: SmallService
) -> None:
    job = await make_job(status=S.QUEUED)
    service.refusal = refusal(409, "no_free_slot")

    await dispatch.tick()

    waiting = await stored(database, job)
    assert (waiting.status, waiting.status_reason) == ("queued", "no_free_slot")
    assert (waiting.attempt, waiting.instance_id, waiting.lease_owner) == (0, None, None)


async def test_a_start_without_an_answer_is_repeated_to_the_same_instance_as_the_same_attempt(
    database: Database, dispatch: DispatchLoop, make_job: MakeJob, service: SmallService
) -> None:
    job = await make_job(status=S.QUEUED)
    service.refusal = refusal(503, "broken")
    await dispatch.tick()
    unanswered = await stored(database, job)

    service.refusal = None
    await dispatch.tick()

    started = await stored(database, job)
    assert (unanswered.status, unanswered.status_reason) == ("queued", "service_unavailable")
    assert unanswered.instance_id == service.instance_id
    assert (started.status, started.attempt, starts(service)) == ("starting", 1, 2)


async def test_an_instance_that_never_answers_loses_the_job_and_its_attempt(
    database: Database, dispatch: DispatchLoop, make_job: MakeJob, service: SmallService
) -> None:
    job = await make_job(status=S.QUEUED)
    service.refusal = refusal(503, "broken")
    await dispatch.tick()
    async with database.transaction() as session:
        await session.execute(update(TrainingJob).values(dispatched_at=utc_now() - timedelta(seconds=20)))

    await dispatch.tick()

    lost = await stored(database, job)
    assert (lost.status, lost.attempt, lost.instance_id) == ("queued", 1, None)


async def test_a_job_that_another_backend_has_leased_is_left_alone(
    database: Database, dispatch: DispatchLoop, make_job: MakeJob, service: SmallService
) -> None:
    later = utc_now() + timedelta(seconds=10)
    await make_job(status=S.QUEUED, lease_owner=uuid4(), lease_expires_at=later)
    expired = await make_job(
        status=S.QUEUED, lease_owner=uuid4(), lease_expires_at=utc_now() - timedelta(seconds=10), attempt=1,
        instance_id=service.instance_id, dispatched_at=utc_now(),
    )  # fmt: skip

    await dispatch.tick()

    assert [held.job_uid for held in service.held] == [expired.job_uid]


async def test_missing_initial_weights_fail_the_job(
    database: Database, dispatch: DispatchLoop, make_job: MakeJob
) -> None:
    job = await make_job(status=S.QUEUED, initial_weights={"job_id": 4711, "artifact": "checkpoints/best.pt"})

    await dispatch.tick()

    failed = await stored(database, job)
    assert (failed.status, failed.status_reason) == ("failed", "weights_unavailable")
    assert "4711" in (failed.error_message or "")


async def test_a_job_that_is_stopped_while_it_is_sent_is_ended_at_its_instance(
    database: Database,
    dispatch: DispatchLoop,
    reconcile: ReconcileLoop,
    make_job: MakeJob,
    owner: User,
    service: SmallService,
    becomes: Becomes,
) -> None:
    job = await make_job(status=S.QUEUED)
    service.delay_seconds = 0.3
    sending = asyncio.create_task(dispatch.tick())
    await becomes(job, lambda row: row.instance_id is not None)
    async with database.transaction() as session:
        await use_cases.stop(session, user=owner, job_id=job.id)
    await sending
    service.delay_seconds = 0

    await reconcile.tick()

    cancelled = await stored(database, job)
    assert (cancelled.status, cancelled.status_reason) == ("cancelled", "stopped_by_user")
    assert [(order.mode, order.attempt) for order in service.stops] == [("kill", 1)]


async def test_jobs_that_an_instance_should_not_hold_are_stopped_or_deleted(
    database: Database, reconcile: ReconcileLoop, make_job: MakeJob, service: SmallService
) -> None:
    def held(uid: UUID, state: str, attempt: int = 2) -> HeldJob:
        return HeldJob.model_validate({"job_uid": uid, "attempt": attempt, "state": state})

    running = await make_job(status=S.RUNNING, attempt=2, instance_id=service.instance_id)
    moved = await make_job(status=S.RUNNING, attempt=3, instance_id=uuid4())
    done = await make_job(status=S.COMPLETED, attempt=2)
    queued_again = await make_job(status=S.STARTING, attempt=3, instance_id=service.instance_id)
    unknown = uuid4()
    service.held = [
        held(running.job_uid, "running"), held(moved.job_uid, "running"), held(done.job_uid, "ended"),
        held(queued_again.job_uid, "ended"), held(unknown, "running"),
    ]  # fmt: skip

    await reconcile.tick()

    stopped = [path for method, path, _ in service.requests if path.startswith("/training/stop")]
    assert sorted(stopped) == sorted(f"/training/stop/{uid}" for uid in (moved.job_uid, unknown))
    assert {each.job_uid for each in service.held} == {
        running.job_uid, moved.job_uid, queued_again.job_uid, unknown,
    }  # fmt: skip
    assert (await stored(database, done)).lease_owner is None


@pytest.mark.parametrize(("status", "mode"), [(S.STOPPING, "stop"), (S.PAUSING, "pause")])
async def test_a_stop_request_is_repeated_until_the_job_has_ended(
    reconcile: ReconcileLoop, make_job: MakeJob, service: SmallService, status: JobStatus, mode: str
) -> None:
    await make_job(status=status, attempt=4, instance_id=service.instance_id)

    await reconcile.tick()
    await reconcile.tick()

    assert [(order.mode, order.attempt, order.grace_seconds) for order in service.stops] == [(mode, 4, 1.0)] * 2
