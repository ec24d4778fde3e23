"""Scenario 3: the experiments of a project, newest first (docs/scenarios/03-experiment-list-flow.md)."""

from pathlib import Path
from typing import Any

import pytest
from client import Client
from conftest import problem_of


@pytest.fixture
def experiments(user: Client, project: dict[str, Any], digits: Path) -> list[dict[str, Any]]:
    """Three experiments of two frameworks, oldest first."""
    models = [("timm", "resnet10t"), ("huggingface", "resnet"), ("timm", "resnet18")]
    return [
        user.post("/training/jobs", {
            "project_id": project["id"], "name": f"{model} on digits", "framework": framework, "model_name": model,
            "task_type": "image_classification", "dataset_path": str(digits),
        })
        for framework, model in models
    ]  # fmt: skip


def test_the_list_is_newest_first_and_filters(
    user: Client, project: dict[str, Any], experiments: list[dict[str, Any]]
) -> None:
    path = f"/projects/{project['id']}/experiments"

    def ids(**filters: Any) -> list[int]:
        return [job["id"] for job in user.get(path, **filters)]

    oldest, middle, newest = (job["id"] for job in experiments)
    assert ids() == [newest, middle, oldest]
    assert ids(framework="timm") == [newest, oldest]
    assert ids(q="resnet18") == [newest]
    assert ids(status="pending", task_type="image_classification") == [newest, middle, oldest]
    assert ids(status="running") == []


def test_an_experiment_in_the_list_is_complete(
    user: Client, project: dict[str, Any], experiments: list[dict[str, Any]]
) -> None:
    [job] = user.get(f"/projects/{project['id']}/experiments", q="resnet18")

    assert job == user.get(f"/training/jobs/{job['id']}")
    assert (job["status"], job["attempt"], job["started_at"], job["error_message"]) == ("pending", 0, None, None)
    assert job["epochs"] >= 1
    assert job["learning_rate"] > 0


@pytest.mark.parametrize("query", [{"status": "sleeping"}, {"limit": "0"}, {"limit": "201"}, {"colour": "red"}])
def test_a_filter_that_makes_no_sense_is_an_error(user: Client, project: dict[str, Any], query: dict[str, str]) -> None:
    answer = user.http.get(f"/projects/{project['id']}/experiments", params=query)

    assert problem_of(answer) == (422, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == list(query)
