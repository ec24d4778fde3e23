"""Pause, resume, extend, fork, retry and time-out of a training, by the quickest framework; `make test-kills` has all.

Deployed only: both environments have the same services, and a job's lifecycle is the same in both.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from client import Client
from conftest import Platform

MODELS = {"timm": "test_resnet", "ultralytics": "yolov8n-cls", "huggingface": "google/mobilenet_v2_0.35_96"}
MANY_EPOCHS = 1000


@pytest.fixture(autouse=True)
def _deployed_only(platform: Platform) -> None:
    if platform.name != "deployed":
        pytest.skip("the services and the lifecycle of a job are the same in both environments")


@pytest.fixture(params=["timm", *(pytest.param(other, marks=pytest.mark.idle) for other in list(MODELS)[1:])])
def settings(request: pytest.FixtureRequest, project: dict[str, Any], digits: Path) -> dict[str, Any]:
    return {
        "project_id": project["id"], "framework": request.param, "model_name": MODELS[request.param],
        "task_type": "image_classification", "dataset_path": str(digits), "batch_size": 100, "device": "cpu",
        "hyperparameters": {"image_size": 32},
    }  # fmt: skip


def begin(user: Client, settings: dict[str, Any], **fields: Any) -> int:
    job_id: int = user.post("/training/jobs", settings | fields)["id"]
    user.post(f"/training/jobs/{job_id}/start")
    return job_id


def wait_for_checkpoint(user: Client, job_id: int, *, attempt: int = 1) -> int:
    """Return the step of the first checkpoint of this attempt."""
    for event in user.follow(job_id):
        data = json.loads(event.data)
        if event.event == "checkpoint" and data["attempt"] == attempt:
            step: int = data["step"]
            return step
        assert event.event != "end", user.log_text(job_id)
    raise AssertionError("the stream has ended")


def steps_of(user: Client, job_id: int, name: str) -> list[int]:
    [curve] = user.get(f"/training/jobs/{job_id}/metrics", names=name)
    return [point["step"] for point in curve["points"]]


def test_pause_resume_and_extend(user: Client, settings: dict[str, Any]) -> None:
    job_id = begin(user, settings, epochs=MANY_EPOCHS)
    wait_for_checkpoint(user, job_id)
    user.post(f"/training/jobs/{job_id}/pause")
    paused = user.wait_for(job_id, "paused", seconds=40)
    assert paused["progress"]["step"] > 0

    user.post(f"/training/jobs/{job_id}/resume")
    resumed_step = wait_for_checkpoint(user, job_id, attempt=2)
    assert resumed_step > paused["progress"]["step"] - paused["progress"]["steps"] // MANY_EPOCHS
    user.post(f"/training/jobs/{job_id}/stop")
    stopped = user.wait_for(job_id, "cancelled", seconds=40)
    assert (stopped["status_reason"], stopped["attempt"]) == ("stopped_by_user", 2)
    train = steps_of(user, job_id, "train/loss")
    assert train == sorted(set(train))


def test_extend_a_finished_run_and_fork_its_checkpoint(user: Client, settings: dict[str, Any]) -> None:
    job_id = begin(user, settings, epochs=1)
    done = user.wait_for(job_id, "completed")
    steps = done["progress"]["steps"]

    user.post(f"/training/jobs/{job_id}/extend", {"epochs": 2})
    extended = user.wait_for(job_id, "completed")
    assert (extended["progress"]["step"], extended["progress"]["epoch"], extended["attempt"]) == (2 * steps, 2, 2)
    assert steps_of(user, job_id, "val/loss") == [steps, 2 * steps]

    best = next(each for each in user.get(f"/training/jobs/{job_id}/artifacts") if "best" in each["name"])
    fork = user.post(f"/training/jobs/{job_id}/fork", {"artifact": best["name"], "changes": {"epochs": 1}})
    assert fork["initial_weights"] == {"job_id": job_id, "artifact": best["name"]}
    user.post(f"/training/jobs/{fork['id']}/start")
    assert user.wait_for(fork["id"], "completed")["attempt"] == 1
    assert "tensors" in user.log_text(fork["id"]).lower() or "weights" in user.log_text(fork["id"]).lower()


@pytest.mark.thorough
def test_retry_with_changes_starts_from_scratch(user: Client, settings: dict[str, Any]) -> None:
    job_id = begin(user, settings, epochs=1)
    done = user.wait_for(job_id, "completed")
    user.post(f"/training/jobs/{job_id}/retry", {"changes": {"batch_size": 50, "learning_rate": 0.0005}})
    again = user.wait_for(job_id, "completed")
    assert (again["batch_size"], again["learning_rate"], again["attempt"]) == (50, 0.0005, 2)
    assert again["progress"]["steps"] == 2 * done["progress"]["steps"]
    assert steps_of(user, job_id, "val/loss") == [again["progress"]["steps"]]


def test_a_run_out_of_time_leaves_a_checkpoint_and_says_so(user: Client, settings: dict[str, Any]) -> None:
    job_id = begin(user, settings, epochs=MANY_EPOCHS, timeout_seconds=6)
    for event in user.follow(job_id):
        if event.event == "end":
            break
    ended = user.get(f"/training/jobs/{job_id}")
    assert (ended["status"], ended["status_reason"]) == ("cancelled", "timed_out")
    assert any("checkpoints/last" in each["name"] for each in user.get(f"/training/jobs/{job_id}/artifacts"))
