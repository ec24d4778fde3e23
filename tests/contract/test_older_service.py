"""A training service of an earlier commit works under today's backend: in a rolling upgrade the backend is first."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from client import Client
from platform_under_test import ROOT, DeployedPlatform, Process

OLD_COMMIT = "5aab22c4b8c98919f00769accece795073c82e16"
"""Commit of the oldest supported service; a release may replace it by a later one."""
FRAMEWORK = "fake"
COMMAND = (
    str(ROOT / "shared/trainer_kit/.venv/bin/python"),
    *("-m", "trainer_kit.server", "trainer_kit.testing.fake_adapter:adapter"),
)
SLOW = {"epochs": 1000, "hyperparameters": {"step_seconds": 0.02}}


@pytest.fixture(scope="module")
def old_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `shared/` of the old commit, with the distributions that there were then."""
    archive = subprocess.run(["git", "archive", OLD_COMMIT, "shared"], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.skip(f"the history does not reach back to {OLD_COMMIT}: {archive.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("old-sources")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / "shared"


@pytest.fixture(scope="module")
def platform(old_sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedPlatform]:
    """Today's backend with one service, whose old code comes before its installed packages on the path."""
    running = DeployedPlatform(tmp_path_factory.mktemp("platform"), frameworks=(FRAMEWORK,))
    today = running.services[FRAMEWORK]
    path = ":".join(map(str, old_sources.glob("*/src")))
    environment = {**today.environment, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    running.services[FRAMEWORK] = Process(FRAMEWORK, COMMAND, environment, today.log, today.hidden)
    shutil.copytree(ROOT / "samples/digits", running.datasets / "digits")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def settings(project: dict[str, Any], digits: Path) -> dict[str, Any]:
    return {
        "project_id": project["id"], "framework": FRAMEWORK, "model_name": "linear",
        "task_type": "image_classification", "dataset_path": str(digits), "batch_size": 100, "epochs": 2,
    }  # fmt: skip


def begin(user: Client, settings: dict[str, Any], **fields: Any) -> int:
    job_id: int = user.post("/training/jobs", settings | fields)["id"]
    user.post(f"/training/jobs/{job_id}/start")
    return job_id


def wait_for_checkpoint(user: Client, job_id: int) -> None:
    assert "checkpoint" in (event.event for event in user.follow(job_id))


def result_of(user: Client, accepted: httpx.Response) -> dict[str, Any]:
    """Return the result of a prediction, an export, an evaluation or a dry run once it has ended."""
    assert accepted.is_success, accepted.text
    path = accepted.headers["Location"].removeprefix("/api/v1")
    user.wait_for(int(path.rsplit("/", 1)[1]), "completed")
    return user.get(path)


def test_processes_of_the_service_run_the_old_code(old_sources: Path, user: Client, settings: dict[str, Any]) -> None:
    job_id = begin(user, settings, hyperparameters={"misbehaviour": "crash"})
    events = list(user.follow(job_id))
    ended = user.get(f"/training/jobs/{job_id}")
    traceback = user.http.get(f"/training/jobs/{job_id}/logs", headers={"Accept": "text/plain"}).text

    assert events[-1].event == "end"
    assert ended["status"] == "failed"
    assert f'File "{old_sources}/trainer_kit/src/trainer_kit/' in traceback
    assert str(ROOT / "shared") not in traceback


def test_models_are_listed(user: Client) -> None:
    names = [card["model_name"] for card in user.get("/models/list", framework=FRAMEWORK)]

    assert names == ["linear", "hub/linear"]
    assert user.get(f"/models/{FRAMEWORK}/hub/linear")["hyperparameters"]["properties"]


def test_training_completes_with_metrics_and_artifacts(user: Client, settings: dict[str, Any]) -> None:
    job_id = begin(user, settings)

    done = user.wait_for(job_id, "completed")

    curves = {curve["name"]: curve["points"] for curve in user.get(f"/training/jobs/{job_id}/metrics")}
    artifacts = {artifact["name"] for artifact in user.get(f"/training/jobs/{job_id}/artifacts")}
    assert done["progress"]["percent"] == 100
    assert done["primary_metric"]["value"] > 0.3
    assert len(curves["val/accuracy"]) == 2
    assert {"checkpoints/best.npz", "checkpoints/last.npz", "report.json", "plots/learning_curves.png"} <= artifacts


def test_training_is_paused_resumed_and_stopped(user: Client, settings: dict[str, Any]) -> None:
    job_id = begin(user, settings, **SLOW)
    wait_for_checkpoint(user, job_id)
    user.post(f"/training/jobs/{job_id}/pause")
    paused = user.wait_for(job_id, "paused", seconds=40)

    user.post(f"/training/jobs/{job_id}/resume")
    user.wait_for(job_id, "running", seconds=40)
    user.post(f"/training/jobs/{job_id}/stop")
    stopped = user.wait_for(job_id, "cancelled", seconds=40)

    assert paused["progress"]["step"] > 0
    assert (stopped["status_reason"], stopped["attempt"]) == ("stopped_by_user", 2)
    assert stopped["progress"]["step"] >= paused["progress"]["step"]


def test_dry_run_measures_what_a_training_would_need(user: Client, settings: dict[str, Any]) -> None:
    answer = user.http.post("/training/jobs/preflight", json=settings | {"dry_run": True}, timeout=60)

    assert result_of(user, answer)["values"]["preflight/steps_per_epoch"] > 0


def test_trained_model_predicts_is_exported_and_evaluated(user: Client, settings: dict[str, Any], digits: Path) -> None:
    job_id = begin(user, settings)
    user.wait_for(job_id, "completed")
    image = next((digits / "val").rglob("*.png"))
    base = f"/training/jobs/{job_id}"

    predicted = user.http.post(f"{base}/predict", files={"images": (image.name, image.read_bytes())}, timeout=60)
    exported = user.http.post(f"{base}/export", json={"format": "bundle"})
    evaluated = user.http.post(f"{base}/evaluate", json={"split": "val"})

    [prediction] = result_of(user, predicted)["predictions"]
    assert prediction["labels"]
    assert [artifact["name"] for artifact in result_of(user, exported)["artifacts"]] == ["exports/bundle.zip"]
    assert result_of(user, evaluated)["values"]["val/accuracy"] > 0.3
