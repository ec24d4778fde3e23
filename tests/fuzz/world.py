"""Users of every role, and one of each thing that a path can name."""

import secrets
from dataclasses import dataclass
from typing import Any

from client import Client
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD
from toy_platform import NEWCOMER, Platform


@dataclass(frozen=True)
class World:
    """Tokens by role, and ids by the name of the parameter."""

    tokens: dict[str, str]
    ids: dict[str, Any]


def make_world(platform: Platform) -> World:
    """Make users, a project with members, and a finished experiment with a registered model."""
    users = {role: Client.register(platform.url, f"{role}-{secrets.token_hex(4)}@example.com")
             for role in ("owner", "editor", "viewer", "stranger")}  # fmt: skip
    owner = users["owner"]
    project = owner.post("/projects", {"name": "Fuzzed"})
    for role in ("editor", "viewer"):
        member = {"email": users[role].get("/auth/me")["email"], "role": role}
        owner.post(f"/projects/{project['id']}/members", member)
    [card] = owner.get("/models/list", framework=NEWCOMER)
    job = owner.post(
        "/training/jobs",
        {
            "project_id": project["id"], "name": "Fuzzed", "framework": NEWCOMER, "model_name": card["model_name"],
            "task_type": card["task_types"][0], "dataset_path": str(platform.datasets / "digits"), "epochs": 1,
        },
    )  # fmt: skip
    owner.post(f"/training/jobs/{job['id']}/start")
    owner.wait_for(job["id"], "completed")
    owner.post(f"/projects/{project['id']}/models", {"name": "fuzzed", "job_id": job["id"]})
    dataset = owner.post("/datasets/import", {"name": "Fuzzed", "uri": (platform.datasets / "digits").as_uri()})
    admin = Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD)
    tokens = {role: user.token for role, user in users.items()} | {"admin": admin.token, "nobody": ""}
    ids = {
        "project_id": project["id"], "job_id": job["id"], "dataset_id": dataset["id"], "name": "fuzzed", "version": 1,
        "framework": NEWCOMER, "model_name": card["model_name"], "number": 1,
    }  # fmt: skip
    return World(tokens, ids)
