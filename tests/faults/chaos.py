"""One performance: undisturbed trainings, then the same ones while everything around them dies, then the verdict."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from platform_under_test import ROOT

from faults.audience import Person
from faults.jobs import JobFeed, make_dataset
from faults.kills import Kills, Loss
from faults.moments import MOMENTS
from faults.stage import Stage
from faults.verdict import Numbers, complaints

KINDS = ("trainer", "runner", "warm_parent", "service", "instance", "backend", "postgres", "network")
ATTEMPT_LOSSES = ("trainer", "runner", "instance")
PAUSE_SECONDS = (0.3, 3.0)
REFERENCE_SECONDS = 180.0
NOTHING_TO_HURT_SECONDS = 60.0
STUCK_SECONDS = 300.0


@dataclass(frozen=True)
class Script:
    """How much of what."""

    seed: int
    each_kind: int
    moments: Sequence[str]
    alone: int
    """How often an attempt is taken away while nothing else dies, to see how soon that is mended."""
    frameworks: Sequence[str] = ("timm", "ultralytics", "huggingface")
    jobs_of_a_framework: int = 2

    @classmethod
    def long(cls, seed: int) -> "Script":
        return cls(seed, each_kind=10, moments=tuple(MOMENTS), alone=3)

    def scenes(self) -> list[str]:
        """Kinds and moments, shuffled."""
        scenes = [*(kind for kind in KINDS for _ in range(self.each_kind)), *self.moments]
        random.Random(self.seed).shuffle(scenes)
        return scenes


@dataclass
class Report:
    """What there is to say afterwards."""

    seed: int
    kills: Kills
    jobs: int
    seconds: float
    reconnects: int
    complaints: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        counts = self.kills.counts
        kinds = ", ".join(f"{kind} {counts[kind]}" for kind in KINDS)
        text = [
            f"seed {self.seed}: {counts.total()} kills in {self.seconds:.0f} s ({kinds})",
            f"{len(self.kills.moments)} of them at a chosen moment of the flow: {'; '.join(self.kills.moments)}",
            f"{self.jobs} trainings completed; their followers reconnected {self.reconnects} times",
        ]
        text += recovery_lines("alone", self.kills.alone)
        text += recovery_lines("among others", [each for each in self.kills.losses if each not in self.kills.alone])
        return [*text, *(f"WRONG: {complaint}" for complaint in self.complaints)]


def recovery_lines(how: str, losses: Sequence[Loss]) -> list[str]:
    """How soon the loss of an attempt was noticed, and how soon it trained again where it did not wait on purpose."""
    lines = []
    for kind in ATTEMPT_LOSSES:
        numbers = [Numbers.of(loss) for loss in losses if loss.kind.startswith(kind)]
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


def play(folder: Path, script: Script, say: Callable[[str], object]) -> Report:
    """Raises AssertionError only if the stage itself cannot be set up."""
    stage = Stage(folder)
    try:
        stage.start()
        chance = random.Random(script.seed)
        person = Person([backend.client_way.url for backend in stage.backends], chance)
        project = person.create("/projects", {"name": "chaos"})
        dataset = make_dataset(ROOT / "samples/digits", stage.datasets / "digits")
        feed = JobFeed(stage, person, project["id"], dataset, chance)
        references = {framework: feed.add(framework) for framework in script.frameworks}
        wait_for_all(feed, REFERENCE_SECONDS)
        expected = {framework: feed.metrics_of(job) for framework, job in references.items()}
        say(f"undisturbed: {', '.join(f'{name} {len(points)} points' for name, points in expected.items())}")

        started_at = time.monotonic()
        kills = Kills(stage, feed, chance)
        strike_alone(script, feed, kills, say)
        perform(script, feed, kills, say)
        stuck = wait_for_all(feed, STUCK_SECONDS)
        seconds = time.monotonic() - started_at
        wrong = [f"job {job.id} ({job.framework}) is stuck: {job.follower.last_status()}" for job in stuck]
        wrong += complaints(stage, person, feed, expected)
        feed.close()
        person.close()
        reconnects = sum(job.follower.reconnects for job in feed.jobs)
        return Report(script.seed, kills, len(feed.jobs) - len(stuck), seconds, reconnects, wrong)
    finally:
        stage.close()


def strike_alone(script: Script, feed: JobFeed, kills: Kills, say: Callable[[str], object]) -> None:
    """Each loss of an attempt by itself, until its job trains again."""
    for kind in (kind for kind in ATTEMPT_LOSSES for _ in range(script.alone)):
        deadline = time.monotonic() + NOTHING_TO_HURT_SECONDS
        already = len(kills.losses)
        while len(kills.losses) == already and time.monotonic() < deadline:  # an instance may have had no job
            keep_busy(script, feed)
            kills.strike(kind)
            time.sleep(0.2)
        for loss in kills.losses[already:]:
            kills.alone.append(loss)
            while Numbers.of(loss).again_seconds is None and time.monotonic() < deadline:
                time.sleep(0.1)
        say(f"{kind} alone")


def perform(script: Script, feed: JobFeed, kills: Kills, say: Callable[[str], object]) -> None:
    """Scene after scene, with trainings enough to be hurt."""
    for number, scene in enumerate(scenes := script.scenes(), start=1):
        time.sleep(kills.chance.uniform(*PAUSE_SECONDS))
        deadline = time.monotonic() + NOTHING_TO_HURT_SECONDS
        while True:
            keep_busy(script, feed)
            if strike(kills, scene):
                break
            if time.monotonic() > deadline:
                say(f"[{number}/{len(scenes)}] {scene}: nothing to hurt for {NOTHING_TO_HURT_SECONDS:.0f} s")
                break
            time.sleep(0.2)
        say(f"[{number}/{len(scenes)}] {scene}; {len(feed.unfinished())} trainings are not done")


def strike(kills: Kills, scene: str) -> bool:
    """False if there is nothing to hurt now, or its moment has not come."""
    if scene not in MOMENTS:
        return kills.strike(scene)
    has_come = MOMENTS[scene](kills)
    if has_come:
        kills.moments.append(scene)
    return has_come


def keep_busy(script: Script, feed: JobFeed) -> None:
    for framework in script.frameworks:
        while len(feed.unfinished(framework)) < script.jobs_of_a_framework:
            feed.add(framework)


def wait_for_all(feed: JobFeed, seconds: float) -> list:
    """Those that have not ended in time."""
    deadline = time.monotonic() + seconds
    while feed.unfinished() and time.monotonic() < deadline:
        time.sleep(0.2)
    return feed.unfinished()
