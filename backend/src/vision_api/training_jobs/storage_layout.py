"""Where the files of a job are: one prefix for each job, one below it for each attempt."""

from uuid import UUID

JOBS = "jobs"


def job_uri(storage_url: str, job_uid: UUID) -> str:
    """The prefix that belongs to one job alone."""
    return f"{storage_url.rstrip('/')}/{JOBS}/{job_uid}"


def attempt_uri(output_uri: str, attempt: int) -> str:
    """The prefix that belongs to one attempt alone: a ghost of an older one cannot overwrite what is in it."""
    return f"{output_uri}/attempts/{attempt}"
