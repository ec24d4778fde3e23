"""What must be true afterwards, whatever has died."""

import fcntl
import itertools
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from faults.audience import Person
from faults.jobs import TOLERANCE, Job, JobFeed
from faults.kills import Loss
from faults.stage import Stage

Points = Mapping[tuple[str, int], float | None]
TIME = "time/"
"""Metrics that measure time must be there; they cannot be equal."""
FORGET_SECONDS = 30.0
BAD_LEVELS = {"ERROR", "CRITICAL"}


@dataclass(frozen=True)
class Numbers:
    """How a follower of a job has seen the loss of its attempt."""

    noticed_seconds: float | None
    again_seconds: float | None
    """None if the platform waited on purpose before it tried again."""

    @classmethod
    def of(cls, loss: Loss) -> "Numbers":
        later = [told for told in loss.job.follower.told if told.at >= loss.at]
        noticed = next((each for each in later if each.event == "status" and each.data["status"] == "queued"), None)
        again = next((each for each in later if each.event == "metrics" and each.data["attempt"] > loss.attempt), None)
        has_waited = noticed is not None and noticed.data["status_reason"] == "backing_off"
        return cls(
            noticed.at - loss.at if noticed else None,
            again.at - loss.at if again and not has_waited else None,
        )


def complaints(stage: Stage, person: Person, feed: JobFeed, expected: Mapping[str, Points]) -> list[str]:
    """Everything that is wrong. The stage is stopped on the way."""
    found = [text for job in feed.jobs for text in _of_job(person, feed, job, expected[job.framework])]
    if (count := len(person.get("/training/jobs", limit=200))) != len(feed.jobs):
        found.append(f"{len(feed.jobs)} jobs were asked for, and {count} are there")
    found += _left_in_the_database(stage)
    found += _locks(stage)
    stage.stop()
    found += [f"a process is left over: {each}" for each in stage.left_over()]
    found += [text for log in sorted(stage.folder.glob("*.log")) for text in _errors_in(log)]
    return found


def _of_job(person: Person, feed: JobFeed, job: Job, expected: Points) -> Iterator[str]:
    name = f"job {job.id} ({job.framework})"
    state = person.get(f"/training/jobs/{job.id}")
    if state["status"] != "completed":
        yield f"{name} is {state['status']}: {state['status_reason']}, {state['error_message']}"
        return
    ids = [told.id for told in job.follower.told]
    if ids != list(range(1, len(ids) + 1)):
        gaps = [(a, b) for a, b in itertools.pairwise(ids) if b != a + 1]
        yield f"{name}: its follower did not see every event once and in order: {gaps[:5]}"
    stored = feed.metrics_of(job)
    yield from (f"{name}: {text}" for text in _differences(stored, expected, TOLERANCE[job.framework]))
    yield from (f"{name}, as its follower saw it: {text}" for text in _differences(job.follower.metrics(), stored, 0.0))


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


def _left_in_the_database(stage: Stage) -> Iterator[str]:
    """Leases and instances are given back a moment after the end that everybody has seen, or run out."""
    held = "instance_id IS NOT NULL OR lease_expires_at > clock_timestamp()"
    query = f"SELECT id, status, attempt, instance_id, lease_expires_at FROM training_jobs WHERE {held}"
    deadline = time.monotonic() + FORGET_SECONDS
    while "(0 rows)" not in (left := stage.postgres.psql(query)):
        if time.monotonic() > deadline:
            yield f"jobs have a lease or an instance although they have ended: {left}"
            return
        time.sleep(0.5)


def _locks(stage: Stage) -> Iterator[str]:
    for path in (path for instance in stage.instances for path in instance.data_dir.glob("jobs/*/*/runner.lock")):
        with path.open("r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield f"{path} is held"


def _errors_in(log: Path) -> Iterator[str]:
    """Nobody is told of an error that is none."""
    for line in log.read_text(errors="replace").splitlines():
        if "Traceback (most recent call last)" in line or _level(line) in BAD_LEVELS:
            yield f"{log.name}: {line[:2000]}"


def _level(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    return str(entry.get("level", "")).upper() if isinstance(entry, dict) else ""
