"""A chaos run: undisturbed trainings, the same ones while parts of the platform are killed, and a final check."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from platform_under_test import ROOT

from faults.clients import ApiClient
from faults.environment import Environment
from faults.invariants import RecoveryTimes, violations
from faults.jobs import JobFeed, make_dataset
from faults.kill_points import KILL_POINTS
from faults.kills import Kills, Loss

KINDS = ("trainer", "runner", "warm_parent", "service", "instance", "backend", "postgres", "network")
ATTEMPT_LOSSES = ("trainer", "runner", "instance")
PAUSE_SECONDS = (0.3, 3.0)
REFERENCE_SECONDS = 180.0
NO_TARGET_SECONDS = 60.0
STUCK_SECONDS = 300.0


@dataclass(frozen=True)
class ChaosPlan:
    """The seed, and the number of kills of a run."""

    seed: int
    each_kind: int
    kill_points: Sequence[str]
    alone: int
    """Number of kills of each kind while nothing else dies, to measure the time of recovery."""
    frameworks: Sequence[str] = ("timm", "ultralytics", "huggingface")
    jobs_of_a_framework: int = 2

    @classmethod
    def long(cls, seed: int) -> "ChaosPlan":
        return cls(seed, each_kind=10, kill_points=tuple(KILL_POINTS), alone=3)

    def steps(self) -> list[str]:
        """Kinds and kill points in random order."""
        steps = [*(kind for kind in KINDS for _ in range(self.each_kind)), *self.kill_points]
        random.Random(self.seed).shuffle(steps)
        return steps


@dataclass
class Report:
    """Results of a run: kills, recovery times and violated invariants."""

    seed: int
    kills: Kills
    jobs: int
    seconds: float
    reconnects: int
    violations: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        counts = self.kills.counts
        kinds = ", ".join(f"{kind} {counts[kind]}" for kind in KINDS)
        text = [
            f"seed {self.seed}: {counts.total()} kills in {self.seconds:.0f} s ({kinds})",
            f"{len(self.kills.kill_points)} of them at a kill point of the flow: {'; '.join(self.kills.kill_points)}",
            f"{self.jobs} trainings completed; their streams reconnected {self.reconnects} times",
        ]
        text += recovery_lines("alone", self.kills.alone)
        text += recovery_lines("among others", [each for each in self.kills.losses if each not in self.kills.alone])
        return [*text, *(f"WRONG: {violation}" for violation in self.violations)]


def recovery_lines(how: str, losses: Sequence[Loss]) -> list[str]:
    """Seconds until a loss was noticed, and until the job trained again unless it backed off on purpose."""
    lines = []
    for kind in ATTEMPT_LOSSES:
        numbers = [RecoveryTimes.of(loss) for loss in losses if loss.kind.startswith(kind)]
        for what, found in (
            ("noticed", [each.noticed_seconds for each in numbers]),
            ("trains again", [each.again_seconds for each in numbers]),
        ):
            if times := [seconds for seconds in found if seconds is not None]:
                median, worst = statistics.median(times), max(times)
                lines.append(
                    f"{kind} lost {how}: {what} after {median:.1f} s (worst {worst:.1f} s, {len(times)} times)"
                )
    return lines


def run_chaos(folder: Path, plan: ChaosPlan, log: Callable[[str], object]) -> Report:
    """Run the plan and report. Raises AssertionError only if the environment cannot be set up."""
    environment = Environment(folder)
    try:
        environment.start()
        rng = random.Random(plan.seed)
        client = ApiClient([backend.client_proxy.url for backend in environment.backends], rng)
        project = client.create("/projects", {"name": "chaos"})
        dataset = make_dataset(ROOT / "samples/digits", environment.datasets / "digits")
        feed = JobFeed(environment, client, project["id"], dataset, rng)
        references = {framework: feed.add(framework) for framework in plan.frameworks}
        wait_for_all(feed, REFERENCE_SECONDS)
        expected = {framework: feed.metrics_of(job) for framework, job in references.items()}
        log(f"undisturbed: {', '.join(f'{name} {len(points)} points' for name, points in expected.items())}")

        started_at = time.monotonic()
        kills = Kills(environment, feed, rng)
        kill_alone(plan, feed, kills, log)
        kill_at_random(plan, feed, kills, log)
        stuck = wait_for_all(feed, STUCK_SECONDS)
        seconds = time.monotonic() - started_at
        wrong = [f"job {job.id} ({job.framework}) is stuck: {job.stream.last_status()}" for job in stuck]
        wrong += violations(environment, client, feed, expected)
        feed.close()
        client.close()
        reconnects = sum(job.stream.reconnects for job in feed.jobs)
        return Report(plan.seed, kills, len(feed.jobs) - len(stuck), seconds, reconnects, wrong)
    finally:
        environment.close()


def kill_alone(plan: ChaosPlan, feed: JobFeed, kills: Kills, log: Callable[[str], object]) -> None:
    """Kill one attempt after the other while nothing else dies, each until its job trains again."""
    for kind in (kind for kind in ATTEMPT_LOSSES for _ in range(plan.alone)):
        deadline = time.monotonic() + NO_TARGET_SECONDS
        already = len(kills.losses)
        while len(kills.losses) == already and time.monotonic() < deadline:  # an instance may have had no job
            keep_busy(plan, feed)
            kills.kill(kind)
            time.sleep(0.2)
        for loss in kills.losses[already:]:
            kills.alone.append(loss)
            while RecoveryTimes.of(loss).again_seconds is None and time.monotonic() < deadline:
                time.sleep(0.1)
        log(f"{kind} alone")


def kill_at_random(plan: ChaosPlan, feed: JobFeed, kills: Kills, log: Callable[[str], object]) -> None:
    """Take the steps of the plan while trainings of every framework run."""
    for number, step in enumerate(steps := plan.steps(), start=1):
        time.sleep(kills.rng.uniform(*PAUSE_SECONDS))
        deadline = time.monotonic() + NO_TARGET_SECONDS
        while True:
            keep_busy(plan, feed)
            if take_step(kills, step):
                break
            if time.monotonic() > deadline:
                log(f"[{number}/{len(steps)}] {step}: nothing to kill for {NO_TARGET_SECONDS:.0f} s")
                break
            time.sleep(0.2)
        log(f"[{number}/{len(steps)}] {step}; {len(feed.unfinished())} trainings are not done")


def take_step(kills: Kills, step: str) -> bool:
    """Take one step. Returns False if there is nothing to kill, or the kill point was not reached."""
    if step not in KILL_POINTS:
        return kills.kill(step)
    was_reached = KILL_POINTS[step](kills)
    if was_reached:
        kills.kill_points.append(step)
    return was_reached


def keep_busy(plan: ChaosPlan, feed: JobFeed) -> None:
    for framework in plan.frameworks:
        while len(feed.unfinished(framework)) < plan.jobs_of_a_framework:
            feed.add(framework)


def wait_for_all(feed: JobFeed, seconds: float) -> list:
    """Wait until all jobs have ended; returns those that have not in time."""
    deadline = time.monotonic() + seconds
    while feed.unfinished() and time.monotonic() < deadline:
        time.sleep(0.2)
    return feed.unfinished()
