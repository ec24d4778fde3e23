"""Every way in which the stage is hurt, at any moment or at one that was waited for."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from faults.jobs import Job, JobFeed, kill_in
from faults.proxy import Moment, Proxy
from faults.stage import Backend, Instance, Stage

MOMENT_SECONDS = 60.0
LONGEST_ABSENCE_SECONDS = 3.0


@dataclass(frozen=True)
class Loss:
    """An attempt that was taken from a job, to see how soon that is noticed and mended."""

    job: Job
    kind: str
    attempt: int
    at: float


@dataclass
class Kills:
    """Hurts, counts, and puts back what an operator would put back."""

    stage: Stage
    feed: JobFeed
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    moments: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def strike(self, kind: str) -> bool:
        """Hurts once. False if there is nothing of that kind to hurt now."""
        with self._lock:
            return bool(getattr(self, f"_kill_{kind}")())

    # At any moment ------------------------------------------------------------------------------------------------

    def _kill_trainer(self) -> bool:
        return self._take_attempt("trainer")

    def _kill_runner(self) -> bool:
        return self._take_attempt("runner")

    def _take_attempt(self, role: str) -> bool:
        candidates = [job for job in self.feed.jobs if job.may_lose_its_attempt]
        if not candidates:
            return False
        job = self.chance.choice(candidates)
        attempt, at = job.attempt, time.monotonic()
        if not job.kill("runner" if role == "runner" else "trainer", self.stage.instances):
            return False
        self.losses.append(Loss(job, role, attempt, at))
        return self._count(role)

    def _kill_warm_parent(self) -> bool:
        parent = self.chance.choice(self.stage.instances).warm_parent()
        if parent is None:
            return False
        parent.kill()
        return self._count("warm_parent")

    def _kill_service(self) -> bool:
        self._restart_service(self.chance.choice(self.stage.instances))
        return True

    def _restart_service(self, instance: Instance) -> None:
        instance.process.kill()
        self._count("service")
        self._absence()
        instance.process.start()

    def _kill_instance(self) -> bool:
        """The whole machine with its disk; another one of the same framework may be there, or this one comes back."""
        instance = self.chance.choice(self.stage.instances)
        held = [job for job in self.feed.unfinished() if _is_at(job, instance)]
        if not all(job.may_lose_its_attempt for job in held):
            return False
        attempts, at = {job: job.attempt for job in held}, time.monotonic()
        instance.vanish()
        self.losses += [Loss(job, "instance", attempt, at) for job, attempt in attempts.items()]
        self._count("instance")
        self._absence()
        instance.process.start()
        return True

    def _kill_backend(self) -> bool:
        self._restart_backends([self.chance.choice(self.stage.backends)])
        return True

    def _restart_backends(self, backends: list[Backend]) -> None:
        for backend in backends:
            backend.process.kill()
            self._count("backend")
        self._absence()
        for backend in backends:
            backend.process.start()

    def _kill_postgres(self) -> bool:
        self.stage.kill_postgres()
        self._count("postgres")
        self._absence()
        self.stage.start_postgres()
        return True

    def _kill_network(self) -> bool:
        ways = [
            *(instance.way for instance in self.stage.instances),
            *(backend.database_way for backend in self.stage.backends),
            *(backend.client_way for backend in self.stage.backends),
        ]
        way, how = self.chance.choice(ways), self.chance.choice(("cut", "stall", "slow"))
        seconds = self.chance.uniform(0.0, 6.0)
        if how == "cut":
            way.cut(seconds)
        elif how == "stall":
            way.stall(seconds)
        else:
            way.slow(seconds, delay_seconds=0.2)
        return self._count("network")

    # At the moment when something passes ----------------------------------------------------------------------------

    def strike_at(self, name: str) -> bool:
        """Hurts at one point of the flow; False if the point did not come."""
        has_come = MOMENTS[name](self)
        if has_come:
            self.moments.append(name)
        return has_come

    def both_backends_at(self, pattern: bytes, direction: str, ways: list[Proxy], *, is_delivered: bool) -> bool:
        """Which of the two is at work does not matter: neither survives."""
        return self._at(pattern, direction, ways, self.kill_both_backends, is_delivered=is_delivered)

    def kill_both_backends(self) -> None:
        with self._lock:
            self._restart_backends(self.stage.backends)

    def postgres_at(self, pattern: bytes, direction: str, *, is_delivered: bool) -> bool:
        ways = [backend.database_way for backend in self.stage.backends]

        def kill() -> None:
            with self._lock:
                self._kill_postgres()

        return self._at(pattern, direction, ways, kill, is_delivered=is_delivered)

    def service_at(self, pattern: bytes, direction: str, *, is_delivered: bool) -> bool:
        """The instance through whose proxy the bytes pass."""
        has_come = threading.Event()
        moments: list[tuple[Proxy, Moment]] = []

        def kill(instance: Instance) -> Callable[[], None]:
            def act() -> None:
                if not has_come.is_set():
                    has_come.set()
                    with self._lock:
                        self._restart_service(instance)

            return act

        for instance in self.stage.instances:
            moment = Moment(pattern, "request" if direction == "request" else "answer", kill(instance), is_delivered)
            moments.append((instance.way, moment))
            instance.way.await_moment(moment)
        return self._wait_for(has_come, moments)

    def _at(
        self, pattern: bytes, direction: str, ways: list[Proxy], action: Callable[[], object], *, is_delivered: bool
    ) -> bool:
        has_come = threading.Event()
        once = threading.Lock()

        def act() -> None:
            with once:
                if not has_come.is_set():
                    has_come.set()
                    action()

        moments = [
            (way, Moment(pattern, "request" if direction == "request" else "answer", act, is_delivered)) for way in ways
        ]
        for way, moment in moments:
            way.await_moment(moment)
        return self._wait_for(has_come, moments)

    def _wait_for(self, has_come: threading.Event, moments: list[tuple[Proxy, Moment]]) -> bool:
        came = has_come.wait(MOMENT_SECONDS)
        for way, moment in moments:
            way.forget_moment(moment)
        with self._lock:  # until what was killed is back
            return came

    def role_at(self, role: str, file: str) -> bool:
        """Kills a runner or a trainer as soon as a file of its attempt is there, before it has left a checkpoint."""
        job = self.feed.add(self.chance.choice(list({each.framework for each in self.stage.instances})))
        folder = _wait_for_path(lambda: _attempt_with(job, self.stage.instances, file))
        if folder is None:
            return False
        with self._lock:
            self.losses.append(Loss(job, f"{role} at {file}", int(folder.name), time.monotonic()))
            kill_in(folder, "runner" if role == "runner" else "trainer")
            return self._count(role)

    def runner_at_upload(self) -> bool:
        """The object is stored, and its event is not written yet, or only just."""
        job = self.feed.add("timm")
        seen = _wait_for_path(lambda: next(self.stage.storage.glob(f"jobs/{job.uid}/attempts/1/checkpoints/*"), None))
        folder = job.folder(self.stage.instances)
        if seen is None or folder is None:
            return False
        with self._lock:
            self.losses.append(Loss(job, "runner at upload", int(folder.name), time.monotonic()))
            kill_in(folder, "runner")
            return self._count("runner")

    def _absence(self) -> None:
        time.sleep(self.chance.uniform(0.0, LONGEST_ABSENCE_SECONDS))

    def _count(self, kind: str) -> bool:
        self.counts[kind] += 1
        return True


def _is_at(job: Job, instance: Instance) -> bool:
    folder = job.folder([instance])
    return folder is not None and int(folder.name) == job.attempt


def _attempt_with(job: Job, instances: list[Instance], file: str) -> Path | None:
    folder = job.folder(instances)
    return folder if folder is not None and (folder / file).exists() else None


def _wait_for_path(look: Callable[[], Path | None]) -> Path | None:
    deadline = time.monotonic() + MOMENT_SECONDS
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.002)
    return None


def _client_ways(kills: Kills) -> list[Proxy]:
    return [backend.client_way for backend in kills.stage.backends]


def _service_ways(kills: Kills) -> list[Proxy]:
    return [instance.way for instance in kills.stage.instances]


def _with_a_new_job(strike: Callable[[Kills], bool]) -> Callable[[Kills], bool]:
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


MOMENTS: dict[str, Callable[[Kills], bool]] = {
    "a job is created, nobody hears of it": _with_a_new_job(
        lambda kills: kills.both_backends_at(b" 201 Created", "answer", _client_ways(kills), is_delivered=False)
    ),
    "a job is queued, nobody hears of it": _with_a_new_job(
        lambda kills: kills.both_backends_at(b" 202 Accepted", "answer", _client_ways(kills), is_delivered=False)
    ),
    "an attempt is committed, and not sent": _with_a_new_job(
        lambda kills: kills.both_backends_at(
            b"POST /training/start", "request", _service_ways(kills), is_delivered=False
        )
    ),
    "an attempt is sent, its sender is gone": _with_a_new_job(
        lambda kills: kills.both_backends_at(b"POST /training/start", "request", _service_ways(kills), is_delivered=True)
    ),
    "an attempt is sent, its receiver is gone": _with_a_new_job(
        lambda kills: kills.service_at(b"POST /training/start", "request", is_delivered=False)
    ),
    "an attempt is taken on, its answer is lost": _with_a_new_job(
        lambda kills: kills.service_at(b" 202 Accepted", "answer", is_delivered=False)
    ),
    "an attempt is taken on, nobody notes it": _with_a_new_job(
        lambda kills: kills.both_backends_at(b" 202 Accepted", "answer", _service_ways(kills), is_delivered=True)
    ),
    "a spec is written, its runner dies at once": lambda kills: kills.role_at("runner", "runner.json"),
    "a trainer dies before it has begun": lambda kills: kills.role_at("trainer", "trainer.json"),
    "a checkpoint is stored, and not told": lambda kills: kills.runner_at_upload(),
    "a start is told, and not stored": _with_a_new_job(
        lambda kills: kills.both_backends_at(b'"type":"started"', "answer", _service_ways(kills), is_delivered=True)
    ),
    "a checkpoint is told, and not stored": lambda kills: kills.both_backends_at(
        b'"type":"checkpoint"', "answer", _service_ways(kills), is_delivered=True
    ),
    "metrics are told, and cut off": lambda kills: kills.service_at(
        b'"type":"metrics"', "answer", is_delivered=False
    ),
    "an end is told, and not stored": lambda kills: kills.both_backends_at(
        b'"type":"finished"', "answer", _service_ways(kills), is_delivered=False
    ),
    "an end is told by a service that dies": lambda kills: kills.service_at(
        b'"type":"finished"', "answer", is_delivered=False
    ),
    "an attempt is to be forgotten": lambda kills: kills.service_at(
        b"DELETE /training/jobs/", "request", is_delivered=False
    ),
    "a commit never arrives": lambda kills: kills.postgres_at(b"COMMIT", "request", is_delivered=False),
    "a commit is done, and not answered": lambda kills: kills.postgres_at(b"COMMIT", "answer", is_delivered=False),
}
"""Between every two arrows of the flow (docs/architecture/ARCHITECTURE.md)."""
