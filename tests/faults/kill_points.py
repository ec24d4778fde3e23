"""Kill points: kills between every two steps of the flow (docs/architecture/ARCHITECTURE.md).

The proxies hold back the bytes of a step while one end of the connection, or both, are killed; then the bytes are
delivered or lost.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from faults.environment import Instance
from faults.jobs import Job, kill_in
from faults.kills import Kills, Loss
from faults.proxy import ByteTrigger, Direction, Proxy

KILL_POINT_SECONDS = 60.0

KillPoint = Callable[[Kills], bool]
"""Waits until the flow reaches the point, and kills. Returns False if the point was not reached."""


def backends_when(
    pattern: bytes, direction: Direction, at: Literal["clients", "services"], *, is_delivered: bool
) -> KillPoint:
    """Kill both backends when the pattern passes."""

    def kill_point(kills: Kills) -> bool:
        proxies = [each.client_proxy for each in kills.environment.backends]
        if at == "services":
            proxies = [each.proxy for each in kills.environment.instances]
        return _when(
            kills,
            pattern,
            direction,
            is_delivered,
            [(proxy, lambda: kills.restart_backends(kills.environment.backends)) for proxy in proxies],
        )

    return kill_point


def service_when(pattern: bytes, direction: Direction) -> KillPoint:
    """Kill the instance that sends or receives the pattern; the bytes are lost."""

    def kill_point(kills: Kills) -> bool:
        def kill(instance: Instance) -> Callable[[], None]:
            return lambda: kills.restart_service(instance)

        actions = [(each.proxy, kill(each)) for each in kills.environment.instances]
        return _when(kills, pattern, direction, False, actions)

    return kill_point


def postgres_when(pattern: bytes, direction: Direction) -> KillPoint:
    """Kill PostgreSQL when a backend sends or receives the pattern; the bytes are lost."""

    def kill_point(kills: Kills) -> bool:
        proxies = [each.database_proxy for each in kills.environment.backends]
        return _when(kills, pattern, direction, False, [(proxy, kills.restart_postgres) for proxy in proxies])

    return kill_point


def _when(
    kills: Kills,
    pattern: bytes,
    direction: Direction,
    is_delivered: bool,
    actions: Sequence[tuple[Proxy, Callable[[], object]]],
) -> bool:
    """Run the action of the first proxy that the pattern passes through."""
    is_triggered = threading.Event()

    def once(action: Callable[[], object]) -> Callable[[], None]:
        def act() -> None:
            with kills.lock:
                if not is_triggered.is_set():
                    is_triggered.set()
                    action()

        return act

    triggers = [(proxy, ByteTrigger(pattern, direction, once(action), is_delivered)) for proxy, action in actions]
    for proxy, trigger in triggers:
        proxy.add_trigger(trigger)
    was_reached = is_triggered.wait(KILL_POINT_SECONDS)
    for proxy, trigger in triggers:
        proxy.remove_trigger(trigger)
    with kills.lock:
        return was_reached


def with_a_new_job(kill_point: KillPoint) -> KillPoint:
    """Create and start a training while the kill point is awaited."""

    def kill_point_with_job(kills: Kills) -> bool:
        framework = kills.rng.choice(["timm", "ultralytics", "huggingface"])
        adding = threading.Thread(target=lambda: kills.feed.add(framework), daemon=True)
        adding.start()
        try:
            return kill_point(kills)
        finally:
            adding.join(120)

    return kill_point_with_job


def role_when_there_is(role: Literal["runner", "trainer"], file: str) -> KillPoint:
    """Kill a new job's runner or trainer as soon as the attempt's folder has the file: before the first checkpoint."""

    def kill_point(kills: Kills) -> bool:
        job = kills.feed.add(kills.rng.choice(["timm", "ultralytics", "huggingface"]))
        return _kill_when(kills, job, role, file, lambda: _attempt_with(job, kills.environment.instances, file))

    return kill_point


def runner_when_an_object_is_stored(kills: Kills) -> bool:
    """Kill a runner whose checkpoint is in storage, at about the time when its event is written."""
    job = kills.feed.add("timm")

    def find_folder() -> Path | None:
        is_stored = any(kills.environment.storage.glob(f"jobs/{job.uid}/attempts/1/checkpoints/*"))
        return job.folder(kills.environment.instances) if is_stored else None

    return _kill_when(kills, job, "runner", "upload", find_folder)


def _kill_when(
    kills: Kills, job: Job, role: Literal["runner", "trainer"], what: str, find_folder: Callable[[], Path | None]
) -> bool:
    deadline = time.monotonic() + KILL_POINT_SECONDS
    while (folder := find_folder()) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    with kills.lock:
        kills.losses.append(Loss(job, f"{role} at {what}", int(folder.name), time.monotonic()))
        kill_in(folder, role)
        return kills.count(role)


def _attempt_with(job: Job, instances: list[Instance], file: str) -> Path | None:
    folder = job.folder(instances)
    return folder if folder is not None and (folder / file).exists() else None


ACCEPTED, CREATED, START = b" 202 Accepted", b" 201 Created", b"POST /training/start"

KILL_POINTS: dict[str, KillPoint] = {
    "a job is created, its answer is lost": with_a_new_job(
        backends_when(CREATED, "answer", "clients", is_delivered=False)
    ),
    "a job is queued, its answer is lost": with_a_new_job(
        backends_when(ACCEPTED, "answer", "clients", is_delivered=False)
    ),
    "an attempt is committed, and not sent": with_a_new_job(
        backends_when(START, "request", "services", is_delivered=False)
    ),
    "an attempt is sent, its sender is gone": with_a_new_job(
        backends_when(START, "request", "services", is_delivered=True)
    ),
    "an attempt is sent, its receiver is gone": with_a_new_job(service_when(START, "request")),
    "an attempt is accepted, its answer is lost": with_a_new_job(service_when(ACCEPTED, "answer")),
    "an attempt is accepted, and not recorded": with_a_new_job(
        backends_when(ACCEPTED, "answer", "services", is_delivered=True)
    ),
    "a spec is written, its runner dies at once": role_when_there_is("runner", "runner.json"),
    "a trainer dies before it has begun": role_when_there_is("trainer", "trainer.json"),
    "a checkpoint is stored, its event is not": runner_when_an_object_is_stored,
    "a start is reported, and not stored": with_a_new_job(
        backends_when(b'"type":"started"', "answer", "services", is_delivered=True)
    ),
    "metrics are reported, and cut off": service_when(b'"type":"metrics"', "answer"),
    "a checkpoint is reported, and not stored": backends_when(
        b'"type":"checkpoint"', "answer", "services", is_delivered=True
    ),
    "an end is reported, and not stored": backends_when(b'"type":"finished"', "answer", "services", is_delivered=False),
    "an end is reported by a service that dies": service_when(b'"type":"finished"', "answer"),
    "an attempt is to be deleted": service_when(b"DELETE /training/jobs/", "request"),
    "a commit never arrives": postgres_when(b"COMMIT", "request"),
    "a commit is done, and not answered": postgres_when(b"COMMIT", "answer"),
}
