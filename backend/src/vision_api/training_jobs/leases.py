"""Leases of job rows: one backend at a time, their owner, processes a job."""

from uuid import UUID

from vision_api.models import TrainingJob

LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0


def take_lease(job: TrainingJob, owner: UUID) -> None:
    """Lease a row that is locked and free."""
    job.lease_owner = owner
    job.lease(LEASE_SECONDS)


def release_lease(job: TrainingJob) -> None:
    """Release the lease of a locked row."""
    job.lease_owner = None
    job.release()
