"""Trainings that run while parts of the platform are killed, with their settings and tolerances."""

import json
import os
import random
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil

from faults.clients import ApiClient, StreamClient
from faults.environment import Environment, Instance

SETTINGS: dict[str, dict[str, Any]] = {
    "timm": {"model_name": "test_resnet", "epochs": 40, "hyperparameters": {"image_size": 32}},
    "ultralytics": {"model_name": "yolov8n-cls", "epochs": 14, "hyperparameters": {"image_size": 32, "plots": False}},
    "huggingface": {"model_name": "google/mobilenet_v2_0.35_96", "epochs": 20, "hyperparameters": {"image_size": 32}},
}
TOLERANCE = {"timm": 0.0, "huggingface": 0.0, "ultralytics": 1e-3}
MAX_RESTARTS = 4
"""One less than the platform's bound, so that a restart that was not planned does not end a job."""


@dataclass(eq=False)
class Job:
    """A training and the client that reads its event stream."""

    id: int
    uid: str
    framework: str
    stream: StreamClient

    @property
    def is_over(self) -> bool:
        return self.stream.has_ended

    @property
    def attempt(self) -> int:
        return self.stream.events[-1].data["attempt"] if self.stream.events else 0

    @property
    def may_lose_its_attempt(self) -> bool:
        """Return whether the job trains, has a checkpoint of this attempt, and has restarts left."""
        if self.is_over or self.attempt > MAX_RESTARTS or self.stream.last_status().get("status") != "running":
            return False
        return any(each.event == "checkpoint" and each.data["attempt"] == self.attempt for each in self.stream.events)

    def folder(self, instances: list[Instance]) -> Path | None:
        """Return the folder of the newest attempt on any of the instances."""
        found = [path for each in instances for path in each.data_dir.glob(f"jobs/{self.uid}/*") if path.name.isdigit()]
        return max(found, key=lambda path: int(path.name), default=None)

    def kill(self, role: Literal["runner", "trainer"], instances: list[Instance]) -> bool:
        """Kill a process of the newest attempt. Returns False if there is none."""
        folder = self.folder(instances)
        return folder is not None and kill_in(folder, role)


def kill_in(folder: Path, role: Literal["runner", "trainer"]) -> bool:
    try:
        pid = json.loads((folder / f"{role}.json").read_bytes())["pid"]
        if role in psutil.Process(pid).exe() or psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            os.kill(pid, signal.SIGKILL)
            return True
    except (FileNotFoundError, ProcessLookupError, psutil.Error):
        pass
    return False


def make_dataset(source: Path, folder: Path, *, classes: int = 4, train: int = 12, val: int = 6) -> Path:
    """Link a few of the bundled digits into a new data set."""
    for split, count in (("train", train), ("val", val)):
        for digit in range(classes):
            target = folder / split / str(digit)
            target.mkdir(parents=True)
            for image in sorted((source / split / str(digit)).iterdir())[:count]:
                os.link(image, target / image.name)
    return folder


class JobFeed:
    """Creates equal trainings for each framework, so that all of a framework must have equal metrics."""

    def __init__(
        self, environment: Environment, client: ApiClient, project_id: int, dataset: Path, rng: random.Random
    ) -> None:
        self.jobs: list[Job] = []
        self._environment = environment
        self._client = client
        self._project_id = project_id
        self._dataset = dataset
        self._rng = rng

    def unfinished(self, framework: str | None = None) -> list[Job]:
        return [job for job in self.jobs if not job.is_over and framework in (None, job.framework)]

    def add(self, framework: str) -> Job:
        job = self.create(framework)
        self._client.start(job.id)
        return job

    def create(self, framework: str) -> Job:
        """Create a pending job whose stream is already read."""
        body = {
            "project_id": self._project_id, "framework": framework, "task_type": "image_classification",
            "dataset_path": str(self._dataset), "batch_size": 8, "seed": 7, "device": "cpu", **SETTINGS[framework],
        }  # fmt: skip
        created = self._client.create("/training/jobs", body)
        stream = StreamClient(created["id"], self._client.token, lambda: self._rng.choice(self._client.urls))
        job = Job(created["id"], created["job_uid"], framework, stream)
        self.jobs.append(job)
        return job

    def metrics_of(self, job: Job) -> dict[tuple[str, int], float | None]:
        """Return the metric points that the API has stored."""
        curves = self._client.get(f"/training/jobs/{job.id}/metrics", max_points=100_000)
        return {(curve["name"], point["step"]): point["value"] for curve in curves for point in curve["points"]}

    def close(self) -> None:
        for job in self.jobs:
            with suppress(RuntimeError):
                job.stream.close()
