"""Kills between every two arrows of the flow (docs/architecture/ARCHITECTURE.md).

The proxies hold back the bytes that an arrow stands for, while one end of it, or both, are killed; then the bytes
arrive or are lost.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from faults.jobs import Job, kill_in
from faults.kills import Kills, Loss
from faults.proxy import Direction, Moment, Proxy
from faults.stage import Instance

MOMENT_SECONDS = 60.0

Strike = Callable[[Kills], bool]
"""Waits for its moment, and kills. False if the moment has not come."""


def backends_when(
    pattern: bytes, direction: Direction, at: Literal["clients", "services"], *, is_delivered: bool
) -> Strike:
    """Both of them: which one is at work does not matter."""

    def strike(kills: Kills) -> bool:
        ways = [each.client_way for each in kills.stage.backends]
        if at == "services":
            ways = [each.way for each in kills.stage.instances]
        return _when(
            kills,
            pattern,
            direction,
            is_delivered,
            [(way, lambda: kills.restart_backends(kills.stage.backends)) for way in ways],
        )

    return strike


def service_when(pattern: bytes, direction: Direction) -> Strike:
    """The instance that says or hears it. The bytes are lost with it."""

    def strike(kills: Kills) -> bool:
        def kill(instance: Instance) -> Callable[[], None]:
            return lambda: kills.restart_service(instance)

        return _when(kills, pattern, direction, False, [(each.way, kill(each)) for each in kills.stage.instances])

    return strike


def postgres_when(pattern: bytes, direction: Direction) -> Strike:
    """Whichever backend says or hears it."""

    def strike(kills: Kills) -> bool:
        ways = [each.database_way for each in kills.stage.backends]
        return _when(kills, pattern, direction, False, [(way, kills.restart_postgres) for way in ways])

    return strike


def _when(
    kills: Kills,
    pattern: bytes,
    direction: Direction,
    is_delivered: bool,
    actions: Sequence[tuple[Proxy, Callable[[], object]]],
) -> bool:
    """The first of the ways on which the bytes pass decides."""
    has_come = threading.Event()

    def once(action: Callable[[], object]) -> Callable[[], None]:
        def act() -> None:
            with kills.lock:
                if not has_come.is_set():
                    has_come.set()
                    action()

        return act

    moments = [(way, Moment(pattern, direction, once(action), is_delivered)) for way, action in actions]
    for way, moment in moments:
        way.await_moment(moment)
    came = has_come.wait(MOMENT_SECONDS)
    for way, moment in moments:
        way.forget_moment(moment)
    with kills.lock:
        return came


def with_a_new_job(strike: Strike) -> Strike:
    """Somebody creates and starts a training while the moment is waited for."""

    def strike_with_job(kills: Kills) -> bool:
        framework = kills.chance.choice(["timm", "ultralytics", "huggingface"])
        adding = threading.Thread(target=lambda: kills.feed.add(framework), daemon=True)
        adding.start()
        try:
            return strike(kills)
        finally:
            adding.join(120)

    return strike_with_job


def role_when_there_is(role: Literal["runner", "trainer"], file: str) -> Strike:
    """A new job's runner or trainer, as soon as its attempt's folder has that file: before its first checkpoint."""

    def strike(kills: Kills) -> bool:
        job = kills.feed.add(kills.chance.choice(["timm", "ultralytics", "huggingface"]))
        return _kill_when(kills, job, role, file, lambda: _attempt_with(job, kills.stage.instances, file))

    return strike


def runner_when_an_object_is_stored(kills: Kills) -> bool:
    """The checkpoint is in storage, and its event is not written yet, or only just."""
    job = kills.feed.add("timm")

    def look() -> Path | None:
        is_stored = any(kills.stage.storage.glob(f"jobs/{job.uid}/attempts/1/checkpoints/*"))
        return job.folder(kills.stage.instances) if is_stored else None

    return _kill_when(kills, job, "runner", "upload", look)


def _kill_when(
    kills: Kills, job: Job, role: Literal["runner", "trainer"], what: str, look: Callable[[], Path | None]
) -> bool:
    deadline = time.monotonic() + MOMENT_SECONDS
    while (folder := look()) is None:
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


TAKEN_ON, CREATED, START = b" 202 Accepted", b" 201 Created", b"POST /training/start"

MOMENTS: dict[str, Strike] = {
    "a job is created, nobody hears of it": with_a_new_job(
        backends_when(CREATED, "answer", "clients", is_delivered=False)
    ),
    "a job is queued, nobody hears of it": with_a_new_job(
        backends_when(TAKEN_ON, "answer", "clients", is_delivered=False)
    ),
    "an attempt is committed, and not sent": with_a_new_job(
        backends_when(START, "request", "services", is_delivered=False)
    ),
    "an attempt is sent, its sender is gone": with_a_new_job(
        backends_when(START, "request", "services", is_delivered=True)
    ),
    "an attempt is sent, its receiver is gone": with_a_new_job(service_when(START, "request")),
    "an attempt is taken on, its answer is lost": with_a_new_job(service_when(TAKEN_ON, "answer")),
    "an attempt is taken on, nobody notes it": with_a_new_job(
        backends_when(TAKEN_ON, "answer", "services", is_delivered=True)
    ),
    "a spec is written, its runner dies at once": role_when_there_is("runner", "runner.json"),
    "a trainer dies before it has begun": role_when_there_is("trainer", "trainer.json"),
    "a checkpoint is stored, and not told": runner_when_an_object_is_stored,
    "a start is told, and not stored": with_a_new_job(
        backends_when(b'"type":"started"', "answer", "services", is_delivered=True)
    ),
    "metrics are told, and cut off": service_when(b'"type":"metrics"', "answer"),
    "a checkpoint is told, and not stored": backends_when(
        b'"type":"checkpoint"', "answer", "services", is_delivered=True
    ),
    "an end is told, and not stored": backends_when(b'"type":"finished"', "answer", "services", is_delivered=False),
    "an end is told by a service that dies": service_when(b'"type":"finished"', "answer"),
    "an attempt is to be forgotten": service_when(b"DELETE /training/jobs/", "request"),
    "a commit never arrives": postgres_when(b"COMMIT", "request"),
    "a commit is done, and not answered": postgres_when(b"COMMIT", "answer"),
}
