"""The table of transitions, and the door through which every change goes."""

import pytest
from support.job_rows import MakeJob, reload

from vision_api.db.session import Database
from vision_api.models import JobStatus
from vision_api.training_jobs.repository import list_events
from vision_api.training_jobs.status import ENDED, TRANSITIONS, StatusReason, TransitionError, is_allowed, switch_status
from vision_contracts import EndReason

S = JobStatus
WAITING = {S.PENDING, S.QUEUED, S.PAUSED}
ACTIVE = {S.STARTING, S.RUNNING, S.STOPPING, S.PAUSING}

ALLOWED = {
    S.PENDING: {S.QUEUED, S.CANCELLED},
    S.QUEUED: {S.STARTING, S.PAUSED, S.FAILED, S.CANCELLED},
    S.STARTING: {S.RUNNING, S.STOPPING, S.PAUSING, S.QUEUED, S.FAILED, S.CANCELLED},
    S.RUNNING: {S.STOPPING, S.PAUSING, S.QUEUED, S.COMPLETED, S.FAILED, S.CANCELLED},
    S.STOPPING: {S.QUEUED, S.COMPLETED, S.FAILED, S.CANCELLED},
    S.PAUSING: {S.STOPPING, S.QUEUED, S.PAUSED, S.COMPLETED, S.FAILED, S.CANCELLED},
    S.PAUSED: {S.QUEUED, S.CANCELLED},
    S.COMPLETED: {S.QUEUED},
    S.FAILED: {S.QUEUED},
    S.CANCELLED: {S.QUEUED},
}


@pytest.mark.parametrize("current", S)
@pytest.mark.parametrize("target", S)
def test_the_table_allows_these_and_nothing_else(current: JobStatus, target: JobStatus) -> None:
    assert is_allowed(current, target) is (target in ALLOWED[current])


@pytest.mark.parametrize("status", sorted(WAITING))
def test_whatever_waits_can_be_cancelled(status: JobStatus) -> None:
    assert is_allowed(status, S.CANCELLED)


@pytest.mark.parametrize("status", sorted(ACTIVE | ENDED))
def test_whatever_was_lost_or_has_ended_can_be_queued_again(status: JobStatus) -> None:
    assert is_allowed(status, S.QUEUED)


def test_every_status_can_be_reached_from_pending() -> None:
    reached, frontier = {S.PENDING}, [S.PENDING]
    while frontier:
        new = TRANSITIONS[frontier.pop()] - reached
        reached |= new
        frontier += new

    assert reached == set(S)


async def test_a_change_appends_an_event_with_its_reason_and_the_next_id(database: Database, make_job: MakeJob) -> None:
    job = await make_job(status=S.RUNNING)

    async with database.transaction() as session:
        switch_status(session, await reload(session, job), S.FAILED, StatusReason(EndReason.OUT_OF_MEMORY, "Use less."))

    async with database.snapshot() as session:
        stored = await reload(session, job)
        events = await list_events(session, job.id, after=0, limit=10)
    assert (stored.status, stored.status_reason, stored.error_message) == ("failed", "out_of_memory", "Use less.")
    assert stored.completed_at is not None
    assert [(event.event_id, event.type) for event in events] == [(1, "status"), (2, "end")]
    assert events[0].data == {"status": "failed", "status_reason": "out_of_memory", "status_message": "Use less."}


async def test_a_job_that_is_queued_again_is_not_over_any_more(database: Database, make_job: MakeJob) -> None:
    job = await make_job(status=S.FAILED, error_message="Use less.")

    async with database.transaction() as session:
        switch_status(session, await reload(session, job), S.QUEUED)

    async with database.snapshot() as session:
        stored = await reload(session, job)
    assert (stored.error_message, stored.status_reason, stored.completed_at) == (None, None, None)


async def test_a_change_that_the_table_lacks_is_refused(database: Database, make_job: MakeJob) -> None:
    job = await make_job(status=S.COMPLETED)

    with pytest.raises(TransitionError, match="from completed to running"):
        async with database.transaction() as session:
            switch_status(session, await reload(session, job), S.RUNNING)
