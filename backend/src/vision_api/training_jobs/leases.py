"""Leases of job rows: one backend at a time processes a job. The database's clock counts, so that clocks may differ."""

from uuid import UUID

from sqlalchemy import ColumnElement, or_

from vision_api.db.base import database_now
from vision_api.models import TrainingJob

LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0


def is_free() -> ColumnElement[bool]:
    """Return the condition that no backend holds a lease of the job."""
    return or_(TrainingJob.lease_owner.is_(None), TrainingJob.lease_expires_at < database_now())


def take_lease(job: TrainingJob, owner: UUID) -> None:
    """Lease a row that is locked and free."""
    job.lease_owner = owner
    job.lease_expires_at = database_now(LEASE_SECONDS)


def release_lease(job: TrainingJob) -> None:
    """Release the lease of a locked row."""
    job.lease_owner = None
    job.lease_expires_at = None
