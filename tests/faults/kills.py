"""Every way in which the stage is hurt. `moments.py` chooses the moment, `chaos.py` leaves it to chance."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from faults.jobs import Job, JobFeed
from faults.stage import Backend, Instance, Stage

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
    alone: list[Loss] = field(default_factory=list)
    """Those of them while nothing else died."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """One at a time: what was killed is back before the next one is."""

    def strike(self, kind: str) -> bool:
        """Hurts once. False if there is nothing of that kind to hurt now."""
        with self.lock:
            return bool(getattr(self, f"_kill_{kind}")())

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
        return self.count(role)

    def _kill_warm_parent(self) -> bool:
        parent = self.chance.choice(self.stage.instances).warm_parent()
        if parent is None:
            return False
        parent.kill()
        return self.count("warm_parent")

    def _kill_service(self) -> bool:
        self.restart_service(self.chance.choice(self.stage.instances))
        return True

    def restart_service(self, instance: Instance) -> None:
        instance.process.kill()
        self.count("service")
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
        self.count("instance")
        self._absence()
        instance.process.start()
        return True

    def _kill_backend(self) -> bool:
        self.restart_backends([self.chance.choice(self.stage.backends)])
        return True

    def restart_backends(self, backends: list[Backend]) -> None:
        for backend in backends:
            backend.process.kill()
            self.count("backend")
        self._absence()
        for backend in backends:
            backend.process.start()

    def _kill_postgres(self) -> bool:
        self.restart_postgres()
        return True

    def restart_postgres(self) -> None:
        self.stage.kill_postgres()
        self.count("postgres")
        self._absence()
        self.stage.start_postgres()

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
        return self.count("network")

    def _absence(self) -> None:
        time.sleep(self.chance.uniform(0.0, LONGEST_ABSENCE_SECONDS))

    def count(self, kind: str) -> bool:
        self.counts[kind] += 1
        return True


def _is_at(job: Job, instance: Instance) -> bool:
    folder = job.folder([instance])
    return folder is not None and int(folder.name) == job.attempt
