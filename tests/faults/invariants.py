"""Invariants that must hold after any kills."""

import fcntl
import itertools
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from faults.clients import ApiClient
from faults.environment import Environment
from faults.jobs import TOLERANCE, Job, JobFeed
from faults.kills import Loss

Points = Mapping[tuple[str, int], float | None]
TIME = "time/"
"""Prefix of metrics that measure time: they must exist, but cannot be equal."""
FORGET_SECONDS = 30.0
BAD_LEVELS = {"ERROR", "CRITICAL"}


@dataclass(frozen=True)
class RecoveryTimes:
    """Seconds from a loss to its first visible signs in the job's stream."""

    noticed_seconds: float | None
    again_seconds: float | None
    """None if the platform waited on purpose before it tried again."""

    @classmethod
    def of(cls, loss: Loss) -> "RecoveryTimes":
        later = [event for event in loss.job.stream.events if event.at >= loss.at]
        noticed = next((each for each in later if each.event == "status" and each.data["status"] == "queued"), None)
        again = next((each for each in later if each.event == "metrics" and each.data["attempt"] > loss.attempt), None)
        has_waited = noticed is not None and noticed.data["status_reason"] == "backing_off"
        return cls(
            noticed.at - loss.at if noticed else None,
            again.at - loss.at if again and not has_waited else None,
        )


def violations(environment: Environment, client: ApiClient, feed: JobFeed, expected: Mapping[str, Points]) -> list[str]:
    """Return a line for each violated invariant. The environment is stopped on the way."""
    found = [text for job in feed.jobs for text in _of_job(client, feed, job, expected[job.framework])]
    if (count := len(client.get("/training/jobs", limit=200))) != len(feed.jobs):
        found.append(f"{len(feed.jobs)} jobs were created, and {count} exist")
    found += _left_in_the_database(environment)
    found += _locks(environment)
    environment.stop()
    found += [f"a process is left over: {each}" for each in environment.left_over()]
    found += [text for log in sorted(environment.folder.glob("*.log")) for text in _errors_in(log)]
    return found


def _of_job(client: ApiClient, feed: JobFeed, job: Job, expected: Points) -> Iterator[str]:
    name = f"job {job.id} ({job.framework})"
    state = client.get(f"/training/jobs/{job.id}")
    if state["status"] != "completed":
        yield f"{name} is {state['status']}: {state['status_reason']}, {state['error_message']}"
        return
    ids = [event.id for event in job.stream.events]
    if ids != list(range(1, len(ids) + 1)):
        gaps = [(a, b) for a, b in itertools.pairwise(ids) if b != a + 1]
        yield f"{name}: its stream did not have every event once and in order: {gaps[:5]}"
    stored = feed.metrics_of(job)
    yield from (f"{name}: {text}" for text in _differences(stored, expected, TOLERANCE[job.framework]))
    yield from (f"{name}, as its stream had it: {text}" for text in _differences(job.stream.metrics(), stored, 0.0))


def _differences(points: Points, expected: Points, tolerance: float) -> Iterator[str]:
    if missing := sorted(expected.keys() - points.keys()):
        yield f"{len(missing)} points are missing, such as {missing[:3]}"
    if unexpected := sorted(points.keys() - expected.keys()):
        yield f"{len(unexpected)} points too many, such as {unexpected[:3]}"
    for key in sorted(expected.keys() & points.keys()):
        if not key[0].startswith(TIME) and not _is_equal(points[key], expected[key], tolerance):
            yield f"{key} is {points[key]}, not {expected[key]}"
            return


def _is_equal(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)


def _left_in_the_database(environment: Environment) -> Iterator[str]:
    """Check for leases and instances: they are released shortly after a job's last event, or expire."""
    held = "instance_id IS NOT NULL OR lease_expires_at > clock_timestamp()"
    query = f"SELECT id, status, attempt, instance_id, lease_expires_at FROM training_jobs WHERE {held}"
    deadline = time.monotonic() + FORGET_SECONDS
    while "(0 rows)" not in (left := environment.postgres.psql(query)):
        if time.monotonic() > deadline:
            yield f"jobs have a lease or an instance although they have ended: {left}"
            return
        time.sleep(0.5)


def _locks(environment: Environment) -> Iterator[str]:
    for path in (path for instance in environment.instances for path in instance.data_dir.glob("jobs/*/*/runner.lock")):
        with path.open("r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield f"{path} is held"


def _errors_in(log: Path) -> Iterator[str]:
    """Find errors and tracebacks: kills alone must not log any."""

    for line in log.read_text(errors="replace").splitlines():
        if "Traceback (most recent call last)" in line or _level(line) in BAD_LEVELS:
            yield f"{log.name}: {line[:2000]}"


def _level(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    return str(entry.get("level", "")).upper() if isinstance(entry, dict) else ""
