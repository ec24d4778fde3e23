"""Kills of every kind. `kill_points.py` times them by the flow, `chaos.py` at random."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from faults.environment import Backend, Environment, Instance
from faults.jobs import Job, JobFeed

LONGEST_ABSENCE_SECONDS = 3.0


@dataclass(frozen=True)
class Loss:
    """A killed attempt, to measure how soon the loss is noticed and the job trains again."""

    job: Job
    kind: str
    attempt: int
    at: float


@dataclass
class Kills:
    """Kills parts of the environment, counts the kills, and restarts what an operator would restart."""

    environment: Environment
    feed: JobFeed
    rng: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    kill_points: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    alone: list[Loss] = field(default_factory=list)
    """Losses while nothing else died."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Lock of one kill at a time: the killed part is back before the next kill."""

    def kill(self, kind: str) -> bool:
        """Kill one part of a kind. Returns False if there is none to kill now."""
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
        job = self.rng.choice(candidates)
        attempt, at = job.attempt, time.monotonic()
        if not job.kill("runner" if role == "runner" else "trainer", self.environment.instances):
            return False
        self.losses.append(Loss(job, role, attempt, at))
        return self.count(role)

    def _kill_warm_parent(self) -> bool:
        parent = self.rng.choice(self.environment.instances).warm_parent()
        if parent is None:
            return False
        parent.kill()
        return self.count("warm_parent")

    def _kill_service(self) -> bool:
        self.restart_service(self.rng.choice(self.environment.instances))
        return True

    def restart_service(self, instance: Instance) -> None:
        instance.process.kill()
        self.count("service")
        self._absence()
        instance.process.start()

    def _kill_instance(self) -> bool:
        """Kill a whole machine with its disk; it comes back empty, and another one of its framework may take over."""
        instance = self.rng.choice(self.environment.instances)
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
        self.restart_backends([self.rng.choice(self.environment.backends)])
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
        self.environment.kill_postgres()
        self.count("postgres")
        self._absence()
        self.environment.start_postgres()

    def _kill_network(self) -> bool:
        proxies = [
            *(instance.proxy for instance in self.environment.instances),
            *(backend.database_proxy for backend in self.environment.backends),
            *(backend.client_proxy for backend in self.environment.backends),
        ]
        proxy, how = self.rng.choice(proxies), self.rng.choice(("cut", "stall", "slow"))
        seconds = self.rng.uniform(0.0, 6.0)
        if how == "cut":
            proxy.cut(seconds)
        elif how == "stall":
            proxy.stall(seconds)
        else:
            proxy.slow(seconds, delay_seconds=0.2)
        return self.count("network")

    def _absence(self) -> None:
        time.sleep(self.rng.uniform(0.0, LONGEST_ABSENCE_SECONDS))

    def count(self, kind: str) -> bool:
        self.counts[kind] += 1
        return True


def _is_at(job: Job, instance: Instance) -> bool:
    folder = job.folder([instance])
    return folder is not None and int(folder.name) == job.attempt
