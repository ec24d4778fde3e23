"""Time from a start to the first training batch that a client sees, against the framework's own script."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from client import Client
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, LocalPlatform

from bench.report import Row, compare

MODELS = {"timm": "resnet10t", "ultralytics": "yolov8n-cls", "huggingface": "mobilenet_v2"}
ROUNDS = 3
WARM_UP_SECONDS = 120.0


def measure(folder: Path) -> list[Row]:
    """Measure each framework with a warm parent, the default, and without one."""
    rows = []
    for state, target, environment in (("warm", "<=0.15", {}), ("cold", "<=1.5", {"WARM_IDLE_SECONDS": "0"})):
        with running(folder / state, environment) as (platform, admin):
            dataset = platform.datasets / "digits"
            project_id = admin.post("/projects", {"name": state})["id"]
            for framework in MODELS:
                ours = partial(seconds_on_the_platform, admin, project_id, dataset, framework)
                peer = partial(seconds_of_the_script, framework, dataset)
                name = f"start to first batch, {framework}, {state}"
                row = compare(
                    name, ours, "its own script, from a cold shell", peer, target=target, unit="s", rounds=ROUNDS
                )
                rows.append(row)
    return rows


@contextmanager
def running(folder: Path, environment: dict[str, str]) -> Iterator[tuple[LocalPlatform, Client]]:
    platform = LocalPlatform(folder)
    platform.backend.environment = {**platform.backend.environment, **environment}
    shutil.copytree(ROOT / "samples/digits", platform.datasets / "digits")
    platform.start()
    try:
        admin = Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD)
        if not environment:
            wait_until_warm(platform)
        yield platform, admin
    finally:
        platform.stop()
        Client.close_all()


def wait_until_warm(platform: LocalPlatform) -> None:
    deadline = time.monotonic() + WARM_UP_SECONDS
    while platform.backend.log.read_text().count(" is warm after ") < len(MODELS):
        assert time.monotonic() < deadline, platform.backend.log.read_text()[-3000:]
        time.sleep(0.1)


def seconds_on_the_platform(client: Client, project_id: int, dataset: Path, framework: str) -> float:
    body = {
        "project_id": project_id, "framework": framework, "model_name": MODELS[framework], "epochs": 100,
        "task_type": "image_classification", "dataset_path": str(dataset), "batch_size": 16, "device": "cpu",
        "hyperparameters": {"image_size": 32},
    }  # fmt: skip
    job_id = client.post("/training/jobs", body)["id"]
    started = time.perf_counter()
    client.post(f"/training/jobs/{job_id}/start")
    for event in client.follow(job_id):
        if event.event == "metrics":
            break
        assert event.event != "end", client.log_text(job_id)
    seconds = time.perf_counter() - started
    client.post(f"/training/jobs/{job_id}/stop")
    while client.get(f"/training/jobs/{job_id}")["status"] != "cancelled":
        time.sleep(0.1)
    return seconds


def seconds_of_the_script(framework: str, dataset: Path) -> float:
    """Return the seconds from the shell's command to the script's first line."""
    with tempfile.TemporaryDirectory() as folder:
        offline = {"YOLO_CONFIG_DIR": folder, "YOLO_OFFLINE": "true", "HF_HUB_OFFLINE": "1"}
        python = ROOT / f"services/{framework}/.venv/bin/python"
        script = ROOT / f"tests/bench/bare_scripts/{framework}_training.py"
        started = time.perf_counter()
        with subprocess.Popen(
            [python, script, dataset, "100"], cwd=folder, env=os.environ | offline, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            first = next((line for line in process.stdout if line == "step\n"), "")
            seconds = time.perf_counter() - started
            process.kill()
    assert first, f"{script.name} has not trained"
    return seconds
