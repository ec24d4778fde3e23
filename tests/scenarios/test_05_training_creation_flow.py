"""Scenario 5: an experiment is checked completely and then waits (docs/scenarios/05-training-creation-flow.md)."""

from pathlib import Path
from typing import Any

import pytest
from client import Client
from conftest import problem_of


@pytest.fixture
def settings(project: dict[str, Any], digits: Path) -> dict[str, Any]:
    return {
        "project_id": project["id"], "framework": "timm", "model_name": "resnet10t",
        "task_type": "image_classification", "dataset_path": str(digits),
    }  # fmt: skip


def test_it_is_pending_with_everything_decided(user: Client, settings: dict[str, Any]) -> None:
    answer = user.http.post("/training/jobs", json=settings)

    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["Location"].endswith(f"/training/jobs/{job['id']}")
    assert (job["status"], job["attempt"]) == ("pending", 0)
    assert all(job[field] is not None for field in ("epochs", "batch_size", "learning_rate", "optimizer", "output_dir"))
    assert user.get(f"/training/jobs/{job['id']}") == job


def test_the_same_key_creates_one(user: Client, settings: dict[str, Any]) -> None:
    key = {"Idempotency-Key": "5f1c-the-button-was-pressed-twice"}

    first, second = (user.http.post("/training/jobs", json=settings, headers=key) for _ in range(2))
    other = user.http.post("/training/jobs", json=settings | {"name": "another"}, headers=key)

    assert first.json()["id"] == second.json()["id"]
    assert problem_of(other) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"model_name": "resnet18000"}, "model_unknown", "model_name"),
        ({"framework": "caffe"}, "model_unknown", None),
        ({"task_type": "object_detection"}, "task_not_supported", "task_type"),
        ({"task_type": "telepathy"}, "validation_failed", "task_type"),
        ({"epochs": 0}, "validation_failed", "epochs"),
        ({"epohcs": 3}, "validation_failed", "epohcs"),
        ({"optimizer": "magic"}, "hyperparameters_invalid", "optimizer"),
        ({"hyperparameters": {"weight_decay": -1}}, "hyperparameters_invalid", "hyperparameters.weight_decay"),
        ({"hyperparameters": {"wieght_decay": 0.1}}, "hyperparameters_invalid", "hyperparameters.wieght_decay"),
        ({"hyperparameters": {"epochs": 3}}, "hyperparameters_invalid", "hyperparameters.epochs"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_its_field(
    user: Client, settings: dict[str, Any], change: dict[str, Any], code: str, field: str | None
) -> None:
    answer = user.http.post("/training/jobs", json=settings | change)

    assert problem_of(answer) == (422, code)
    if field is not None:
        assert field in [error["field"] for error in answer.json()["errors"]]


def test_a_bad_dataset_is_refused_with_the_file(user: Client, settings: dict[str, Any], digits: Path) -> None:
    outside = user.http.post("/training/jobs", json=settings | {"dataset_path": "/etc"})
    assert problem_of(outside) == (422, "dataset_path_not_allowed")

    missing = user.http.post("/training/jobs", json=settings | {"dataset_path": str(digits.parent / "nothing-here")})
    assert problem_of(missing) == (422, "dataset_invalid")

    broken = digits.parent / "broken"
    (broken / "images/train").mkdir(parents=True, exist_ok=True)
    (broken / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [a")
    malformed = user.http.post("/training/jobs", json=settings | {"dataset_path": str(broken)})
    assert problem_of(malformed) == (422, "dataset_invalid")
    assert "data.yaml" in malformed.text


def test_nothing_has_started_and_it_can_still_be_changed(user: Client, settings: dict[str, Any]) -> None:
    job = user.post("/training/jobs", settings)

    changed = user.patch(f"/training/jobs/{job['id']}", {"epochs": 7, "name": "seven epochs"})

    assert (changed["epochs"], changed["name"], changed["status"]) == (7, "seven epochs", "pending")
