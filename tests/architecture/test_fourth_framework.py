"""A fourth framework is a folder and a setting: it changes neither the backend, nor the kit, nor another service."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import Client
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT
from toy_platform import NEWCOMER, Platform, with_a_folder, with_a_url


@pytest.fixture(params=[with_a_folder, with_a_url], ids=["local", "deployed"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    """A platform whose only service is of an unknown framework."""
    running: Platform = request.param(tmp_path)
    shutil.copytree(ROOT / "samples/digits", running.datasets / "digits")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.mark.thorough_as("deployed")
def test_it_is_listed_and_trains(platform: Platform) -> None:
    admin = Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD)
    [card] = admin.get("/models/list", framework=NEWCOMER)
    project = admin.post("/projects", {"name": "Newcomers"})
    job = admin.post(
        "/training/jobs",
        {
            "project_id": project["id"],
            "framework": NEWCOMER,
            "model_name": card["model_name"],
            "task_type": card["task_types"][0],
            "dataset_path": str(platform.datasets / "digits"),
            "epochs": 2,
        },
    )

    admin.post(f"/training/jobs/{job['id']}/start")

    assert admin.wait_for(job["id"], "completed")["framework"] == NEWCOMER


def test_no_source_file_knows_it() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "backend", "shared", "services"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    sources = [name for name in listing.stdout.split() if "/tests/" not in name]
    assert [name for name in sources if NEWCOMER in (ROOT / name).read_text(errors="ignore")] == []
