"""Scenario 6: press start and watch it learn, on every framework (docs/scenarios/06-training-execution-flow.md)."""

import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from client import Client
from conftest import Platform, problem_of
from httpx_sse import ServerSentEvent

CHANCE = 0.1
"""Accuracy of guessing among ten digits."""

CLASSIFIERS = {"timm": "resnet10t", "ultralytics": "yolov8n-cls", "huggingface": "microsoft/resnet-18"}
EPOCHS = {"timm": 5, "ultralytics": 6, "huggingface": 2}
IMAGE_SIZE = {"timm": 64}
"""The default of timm enlarges the digits to 176 pixels: seven times the work, and no other result."""
QUICK = {"model_name": "test_resnet", "batch_size": 100, "hyperparameters": {"image_size": 32}}
"""Settings of a training by timm of which only the course matters."""


def create(user: Client, project: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return user.post("/training/jobs", {"project_id": project["id"], "task_type": "image_classification", **fields})


Learn = Callable[[str], tuple[int, list[ServerSentEvent]]]


@pytest.fixture(scope="module")
def learn(platform: Platform, access_token: str) -> Learn:
    """`learn(framework)`: a classifier, trained for a few epochs with the defaults of its card, and all its events.

    The tests of a module share what a framework has learnt.
    """

    @cache
    def train(framework: str) -> tuple[int, list[ServerSentEvent]]:
        user = Client(platform.url, access_token)
        project = user.post("/projects", {"name": framework})
        settings = {"dataset_path": str(platform.datasets / "digits"), "epochs": EPOCHS[framework]}
        if framework in IMAGE_SIZE:
            settings["hyperparameters"] = {"image_size": IMAGE_SIZE[framework]}
        job = create(user, project, framework=framework, model_name=CLASSIFIERS[framework], **settings)
        started = user.http.post(f"/training/jobs/{job['id']}/start")
        assert started.status_code == 202
        assert started.json()["status"] in ("queued", "starting")
        return job["id"], list(user.follow(job["id"]))

    return train


# Each framework trains in one environment: services are the same programs in both.
@pytest.mark.thorough_as("local-ultralytics", "local-huggingface", "deployed-timm")
@pytest.mark.parametrize("framework", CLASSIFIERS)
def test_a_classifier_learns(user: Client, learn: Learn, framework: str) -> None:
    job_id, events = learn(framework)

    done = user.get(f"/training/jobs/{job_id}")
    assert done["status"] == "completed", done["error_message"]
    assert_events_are_complete(events)
    assert done["accuracy"] >= 3 * CHANCE
    assert done["primary_metric"] == {"name": "val/accuracy", "value": done["accuracy"], "direction": "max"}
    assert (done["num_classes"], done["progress"]["percent"], done["attempt"]) == (10, 100, 1)
    assert done["started_at"] <= done["completed_at"]
    assert_loss_falls(user, job_id)
    assert_best_checkpoint_can_be_had(user, job_id)
    assert "epoch" in user.log_text(job_id).lower()


def assert_events_are_complete(events: list[Any]) -> None:
    assert [int(event.id) for event in events] == list(range(1, len(events) + 1))
    statuses = [json.loads(event.data)["status"] for event in events if event.event == "status"]
    assert statuses[-4:] == ["queued", "starting", "running", "completed"]
    assert {"status", "progress", "metrics", "log", "checkpoint", "artifact", "end"} >= {e.event for e in events}
    assert {"progress", "metrics", "checkpoint"} <= {event.event for event in events}
    assert events[-1].event == "end"


def assert_loss_falls(user: Client, job_id: int) -> None:
    [loss] = user.get(f"/training/jobs/{job_id}/metrics", names="train/loss")
    values = [point["value"] for point in loss["points"]]
    steps = [point["step"] for point in loss["points"]]
    assert steps == sorted(set(steps))
    tenth = max(1, len(values) // 10)
    assert sum(values[-tenth:]) / tenth < sum(values[:tenth]) / tenth


def assert_best_checkpoint_can_be_had(user: Client, job_id: int) -> None:
    artifacts = {artifact["name"]: artifact for artifact in user.get(f"/training/jobs/{job_id}/artifacts")}
    best = next(artifact for name, artifact in artifacts.items() if name.startswith("checkpoints/best"))
    path = f"/training/jobs/{job_id}/artifacts/{best['name']}"
    part = user.http.get(path, headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.content)) == (206, 100)
    assert part.headers["Content-Range"] == f"bytes 0-99/{best['size_bytes']}"


@pytest.mark.thorough_as("local")
def test_a_detector_trains(user: Client, project: dict[str, Any], coins: Path) -> None:
    job = create(
        user, project, framework="ultralytics", model_name="yolo11n", task_type="object_detection",
        dataset_path=str(coins), epochs=3,
    )  # fmt: skip
    user.post(f"/training/jobs/{job['id']}/start")

    done = user.wait_for(job["id"], "completed")

    assert done["primary_metric"]["name"] == "val/map50_95"
    assert (done["accuracy"], done["num_classes"]) == (None, 1)
    assert_loss_falls(user, job["id"])


@pytest.mark.thorough_as("deployed")  # lifecycles of jobs are tested there anyway
def test_a_stopped_run_keeps_what_it_has_and_can_be_retried(
    user: Client, project: dict[str, Any], digits: Path
) -> None:
    job = create(user, project, framework="timm", dataset_path=str(digits), epochs=1000, **QUICK)
    user.post(f"/training/jobs/{job['id']}/start")
    refused = user.http.post(f"/training/jobs/{job['id']}/start")
    assert problem_of(refused) == (409, "invalid_transition")
    wait_for_epoch(user, job["id"], 1)

    user.post(f"/training/jobs/{job['id']}/stop")
    stopped = user.wait_for(job["id"], "cancelled", seconds=30)

    assert stopped["status_reason"] == "stopped_by_user"
    assert any(a["name"].startswith("checkpoints/last") for a in user.get(f"/training/jobs/{job['id']}/artifacts"))


def wait_for_epoch(user: Client, job_id: int, epoch: int) -> None:
    for event in user.follow(job_id):
        data = json.loads(event.data)
        if event.event == "progress" and data["epoch"] >= epoch:
            return
        assert event.event != "end", user.log_text(job_id)


def test_a_stream_resumes_after_the_last_event(platform: Platform, user: Client, learn: Learn) -> None:
    job_id, events = learn("ultralytics" if platform.name == "deployed" else "timm")

    middle = int(events[len(events) // 2].id)
    rest = list(user.follow(job_id, last_event_id=middle))

    assert [(event.id, event.data) for event in rest] == [(event.id, event.data) for event in events[middle:]]
    after_the_end = user.http.get(f"/training/jobs/{job_id}/events", headers={"Last-Event-ID": events[-1].id})
    assert after_the_end.status_code == 204


@pytest.mark.thorough  # the backend's tests do the same with a service of theirs
def test_a_job_waits_for_a_service_that_is_down(
    platform: Platform, user: Client, project: dict[str, Any], digits: Path
) -> None:
    if platform.name != "deployed":
        pytest.skip("local services are the backend's own children and come back by themselves")
    platform.stop_service("timm")
    try:
        job = create(user, project, framework="timm", dataset_path=str(digits), epochs=1, **QUICK)
        user.post(f"/training/jobs/{job['id']}/start")
        waiting = wait_for_reason(user, job["id"], "service_unavailable")
        assert waiting["status"] == "queued"
        listed = wait_for_unavailable(user, "timm")
        assert len(listed.json()) == 1
    finally:
        platform.start_service("timm")

    assert user.wait_for(job["id"], "completed")["attempt"] == 1


def wait_for_unavailable(user: Client, framework: str) -> Any:
    """Return the model list once it names the framework: services are checked up to a second after a start fails."""
    deadline = time.monotonic() + 10
    while True:
        listed = user.http.get("/models/list", params={"framework": framework, "limit": 1})
        if framework in listed.headers.get("X-Unavailable-Frameworks", ""):
            return listed
        assert time.monotonic() < deadline, listed.headers
        time.sleep(0.1)


def wait_for_reason(user: Client, job_id: int, reason: str) -> dict[str, Any]:
    """Return the job once its status_reason is `reason`, following its status events instead of polling."""
    for event in user.follow(job_id):
        if event.event == "status" and json.loads(event.data).get("status_reason") == reason:
            break
    return user.get(f"/training/jobs/{job_id}")
