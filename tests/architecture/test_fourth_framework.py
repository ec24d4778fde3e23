"""A fourth framework is a folder and a setting: no edit in the backend, the kit or another service."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import Client
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, DeployedPlatform, Process

NEWCOMER = "toyvision"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedPlatform]:
    """A platform whose only service is one that nobody has heard of."""
    running = DeployedPlatform(tmp_path_factory.mktemp("fourth"), frameworks=(NEWCOMER,))
    service = running.services[NEWCOMER]
    package = Path(__file__).parent
    running.services[NEWCOMER] = Process(
        NEWCOMER,
        (str(ROOT / "shared/trainer_kit/.venv/bin/python"), "-m", "toyvision_service"),
        dict(service.environment) | {"PYTHONPATH": str(package)},
        service.log,
        service.hidden,
    )
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_it_is_listed_and_trains_by_a_folder_and_a_url(platform: DeployedPlatform, tiny_images: Path) -> None:
    admin = Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD)
    [card] = admin.get("/models/list", framework=NEWCOMER)
    project = admin.post("/projects", {"name": "Newcomers"})

    job = admin.post("/training/jobs", {
        "project_id": project["id"], "framework": NEWCOMER, "model_name": card["model_name"],
        "task_type": card["task_types"][0], "dataset_path": str(tiny_images), "epochs": 2,
    })  # fmt: skip
    admin.post(f"/training/jobs/{job['id']}/start")

    assert admin.wait_for(job["id"], "completed")["framework"] == NEWCOMER


def test_no_source_file_knows_it() -> None:
    sources = [path for folder in ("backend", "shared", "services") for path in (ROOT / folder).rglob("src/**/*.py")]

    assert [path for path in sources if NEWCOMER in path.read_text()] == []


@pytest.fixture
def tiny_images(platform: DeployedPlatform) -> Path:
    return shutil.copytree(ROOT / "samples/digits", platform.datasets / "digits", dirs_exist_ok=True)
