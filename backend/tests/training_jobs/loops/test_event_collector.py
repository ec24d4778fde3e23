"""An event collector when the stream, the instance or the database fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from support.job_rows import Becomes, MakeJob, reload
from support.small_service import TOKEN, SmallService, serving
from support.waiting import until

from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.clock import utc_now
from vision_api.models import JobStatus, TrainingJob
from vision_api.training_jobs.loops import event_collector as event_collector
from vision_api.training_jobs.loops.event_collector import CollectedAttempt, EventCollector, LossTimeouts
from vision_api.training_jobs.notifier import Notifier
from vision_api.training_services import InstanceRegistry, running_registry
from vision_contracts import Finished, JobEvent, Metrics, Started

OWNER = uuid4()


@pytest.fixture
def service() -> SmallService:
    return SmallService()


@pytest.fixture
async def network() -> AsyncIterator[AsyncExitStack]:
    """Closing it takes the service away."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def registry(
    settings: Settings, service: SmallService, network: AsyncExitStack
) -> AsyncIterator[InstanceRegistry]:
    port = await network.enter_async_context(serving(service))
    urls = {"small": (f"http://127.0.0.1:{port}",)}
    own = Settings(**(settings.model_dump() | {"service_urls": urls, "service_token": TOKEN}))
    async with running_registry(own) as registry:
        await until(lambda: registry.instances)
        yield registry


@pytest.fixture
async def job(make_job: MakeJob, service: SmallService) -> TrainingJob:
    return await make_job(status=JobStatus.STARTING, attempt=1, instance_id=service.instance_id, lease_owner=OWNER)


@pytest.fixture
def collector(database: Database, registry: InstanceRegistry, job: TrainingJob) -> EventCollector:
    assert job.instance_id is not None
    attempt = CollectedAttempt(job.id, job.job_uid, job.attempt, job.instance_id, 0, None)
    loss_timeouts = LossTimeouts(silence_seconds=1, first_contact_seconds=1)
    return EventCollector(database, registry, Notifier(), owner=OWNER, attempt=attempt, loss_timeouts=loss_timeouts)


def send(service: SmallService, *bodies: Started | Metrics | Finished) -> None:
    service.events = [
        JobEvent(seq=seq, attempt=1, time=utc_now(), body=body) for seq, body in enumerate(bodies, start=1)
    ]


async def stored(database: Database, job: TrainingJob) -> TrainingJob:
    async with database.snapshot() as session:
        return await reload(session, job)


async def test_a_stream_that_is_cut_is_resumed_at_its_cursor(
    database: Database, service: SmallService, collector: EventCollector, job: TrainingJob, becomes: Becomes
) -> None:
    begun = (Started(resume_step=0, device="cpu"), Metrics(step=1, epoch=0, values={"lr": 1.0}))
    send(service, *begun)
    collecting = asyncio.create_task(collector.run())
    await becomes(job, lambda row: row.service_cursor == len(begun))
    send(service, *begun, Finished())
    await collecting

    done = await stored(database, job)
    assert (done.status, done.service_cursor) == ("completed", 3)


@pytest.mark.parametrize(
    ("status", "expected", "reason"),
    [("running", "queued", None), ("stopping", "cancelled", "stopped_by_user"), ("pausing", "paused", None)],
)
async def test_a_vanished_instance_loses_the_job_or_completes_its_stop_request(
    database: Database,
    collector: EventCollector,
    network: AsyncExitStack,
    job: TrainingJob,
    status: str,
    expected: str,
    reason: str | None,
) -> None:
    async with database.transaction() as session:
        (await reload(session, job)).status = JobStatus(status)
    await network.aclose()

    await collector.run()

    lost = await stored(database, job)
    assert (lost.status, lost.status_reason) == (expected, reason)
    assert (lost.instance_id, lost.lease_owner) == (None, None)


async def test_a_loss_that_cannot_be_stored_yet_is_stored_later_and_does_not_fail_the_job(
    database: Database,
    collector: EventCollector,
    network: AsyncExitStack,
    job: TrainingJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_collector, "RETRY_SECONDS", 0.01)
    transaction, refusals = database.transaction, 2 * event_collector.MAX_FAILURES

    def refuse_at_first() -> AbstractAsyncContextManager[AsyncSession]:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise DatabaseUnavailable
        return transaction()

    await network.aclose()
    monkeypatch.setattr(database, "transaction", refuse_at_first)

    await collector.run()

    assert refusals < 0
    assert (await stored(database, job)).status == "queued"


async def test_a_collector_that_has_lost_the_lease_writes_nothing(
    database: Database, service: SmallService, collector: EventCollector, job: TrainingJob
) -> None:
    async with database.transaction() as session:
        (await reload(session, job)).lease_owner = uuid4()
    send(service, Started(resume_step=0, device="cpu"), Finished())

    await collector.run()

    assert ((await stored(database, job)).status, (await stored(database, job)).last_event_id) == ("starting", 0)


async def test_a_job_whose_events_cannot_be_stored_fails_instead_of_hanging(
    database: Database,
    service: SmallService,
    collector: EventCollector,
    job: TrainingJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_collector, "RETRY_AFTER_FAILURE_SECONDS", 0)
    send(service, Finished())  # an end without a start

    await collector.run()

    failed = await stored(database, job)
    assert (failed.status, failed.status_reason) == ("failed", "internal")
