"""Scenario 2: the projects of a user, each with its experiments counted (docs/scenarios/02-project-list-flow.md)."""

from typing import Any

from client import Client
from conftest import Platform, problem_of


def test_a_new_user_sees_an_empty_list(new_user: Client) -> None:
    assert new_user.get("/projects") == []


def test_the_list_is_newest_first_with_experiment_counts_and_role(new_user: Client, digits: Any) -> None:
    first, second = (new_user.post("/projects", {"name": name}) for name in ("first", "second"))
    for _ in range(2):
        new_user.post("/training/jobs", {
            "project_id": first["id"], "framework": "timm", "model_name": "resnet10t",
            "task_type": "image_classification", "dataset_path": str(digits),
        })  # fmt: skip

    projects = new_user.get("/projects")

    assert [project["id"] for project in projects] == [second["id"], first["id"]]
    assert [project["experiment_count"] for project in projects] == [0, 2]
    assert {project["user_role"] for project in projects} == {"owner"}


def test_pages_follow_each_other_by_the_link_header(new_user: Client) -> None:
    names = [f"project {number}" for number in range(5)]
    for name in names:
        new_user.post("/projects", {"name": name})

    answer = new_user.http.get("/projects", params={"limit": 2})
    seen = [project["name"] for project in answer.json()]
    assert answer.headers["X-Total-Count"] == "5"
    while "next" in answer.links:
        answer = new_user.follow_link(answer.links["next"]["url"])
        seen += [project["name"] for project in answer.json()]

    assert seen == names[::-1]


def test_a_project_of_others_does_not_exist(platform: Platform, project: dict[str, Any]) -> None:
    stranger = Client.register(platform.url, f"stranger-of-{project['id']}@example.com")

    answers = [
        stranger.http.get(f"/projects/{project['id']}"),
        stranger.http.patch(f"/projects/{project['id']}", json={"name": "mine"}),
        stranger.http.delete(f"/projects/{project['id']}"),
        stranger.http.get(f"/projects/{project['id']}/experiments"),
    ]

    assert {problem_of(answer) for answer in answers} == {(404, "not_found")}
    assert stranger.get("/projects") == []


def test_a_viewer_may_read_and_not_change(platform: Platform, user: Client, project: dict[str, Any]) -> None:
    email = f"viewer-of-{project['id']}@example.com"
    viewer = Client.register(platform.url, email)
    user.post(f"/projects/{project['id']}/members", {"email": email, "role": "viewer"})

    assert viewer.get(f"/projects/{project['id']}")["user_role"] == "viewer"
    refused = viewer.http.patch(f"/projects/{project['id']}", json={"name": "mine"})
    assert problem_of(refused) == (403, "forbidden")
