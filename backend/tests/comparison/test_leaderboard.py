"""The leaderboard of a project."""

from typing import Any

import httpx
from fastapi import FastAPI
from support.common import AuthHeaders, MakeUser, counted_statements, fields_of, problem_of
from support.trained_jobs import DIGEST, TrainJob

from vision_api.models import Project


async def _board(api: httpx.AsyncClient, project: Project, **query: Any) -> list[dict[str, Any]]:
    answer = await api.get(f"/api/v1/projects/{project.id}/leaderboard", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_best_is_first_in_each_group(
    api: httpx.AsyncClient, app: FastAPI, project: Project, train_job: TrainJob
) -> None:
    for name, accuracy, fields in (
        ("good", 0.75, {}),
        ("best", 0.9, {"framework": "other"}),
        ("as good", 0.75, {}),
        ("worst", 0.5, {}),
        ("of another version", 0.99, {"dataset_digest": "c" * 64, "dataset_version": 2}),
        ("of another split", 0.98, {"validation_split": "val-seed-7"}),
        ("on a folder", 1.0, {"dataset_digest": None, "dataset_path": "/data/digits"}),
        ("still at it", 1.0, {"status": "running"}),
        ("without a value", 1.0, {"primary_value": None}),
    ):
        await train_job(name=name, accuracies=[accuracy], **fields)

    with counted_statements(app) as statements:
        board = await _board(api, project)

    of_digest = [entry for entry in board if entry["dataset_digest"] == DIGEST]
    assert [(entry["name"], entry["rank"]) for entry in of_digest] == [
        ("of another split", 1), ("best", 1), ("as good", 2), ("good", 2), ("worst", 4),
    ]  # fmt: skip
    assert [entry["name"] for entry in board if entry not in of_digest] == ["of another version"]
    assert of_digest[1]["primary_metric"] == {"name": "val/accuracy", "value": 0.9, "direction": "max"}
    assert of_digest[1]["wall_seconds"] == 60.0
    assert len([text for text in statements if "FROM training_jobs" in text]) == 1
    narrowed = await _board(api, project, framework="small", validation_split="val", dataset_digest=DIGEST)
    assert [(entry["name"], entry["rank"]) for entry in narrowed] == [("as good", 2), ("good", 2), ("worst", 4)]
    winners = await _board(api, project, top=1, task_type="image_classification")
    assert sorted(entry["name"] for entry in winners) == ["best", "of another split", "of another version"]
    two = await _board(api, project, top=2, validation_split="val", dataset_digest=DIGEST)
    assert [entry["name"] for entry in two] == ["best", "as good", "good"]
    assert await _board(api, project, task_type="object_detection") == []


async def test_pages_follow_each_other_without_a_gap(
    api: httpx.AsyncClient, project: Project, train_job: TrainJob
) -> None:
    for index in range(7):
        await train_job(name=str(index), accuracies=[0.5 + 0.1 * (index // 3)])
    whole = await _board(api, project)

    url, pages = f"/api/v1/projects/{project.id}/leaderboard?limit=2", list[dict[str, Any]]()
    while url:
        answer = await api.get(url)
        pages += answer.json()
        url = answer.links.get("next", {}).get("url", "")

    assert pages == whole
    assert [entry["name"] for entry in whole] == ["6", "5", "4", "3", "2", "1", "0"]
    assert [entry["rank"] for entry in whole] == [1, 2, 2, 2, 5, 5, 5]


async def test_only_members_see_it(
    api: httpx.AsyncClient, project: Project, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    path = f"/api/v1/projects/{project.id}/leaderboard"
    stranger = await auth_headers(await make_user())

    problem_of(await api.get(path, headers=stranger), 404, "not_found")
    assert fields_of(problem_of(await api.get(path, params={"metric": "x"}), 422, "validation_failed")) == ["metric"]
