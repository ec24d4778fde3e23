"""`make bench`: prints the table and writes build/bench.json."""

import shutil
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from client import Client
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, LocalPlatform, Process, free_port

from bench import first_batch, metric_points
from bench.load import requests_per_second
from bench.report import Row, compare, write
from bench.streams import STREAMS, p99_milliseconds

FEW_JOBS, MANY_JOBS = 100, 100_000
PROJECTS = 10


@contextmanager
def bare_endpoint(folder: Path) -> Iterator[str]:
    port = free_port()
    command = (str(ROOT / "backend/.venv/bin/python"), "-m", "uvicorn", "endpoint:app", "--port", str(port))
    command += ("--no-access-log", "--app-dir", str(ROOT / "tests/bench/bare_scripts"))
    process = Process("bare", command, {}, folder / "bare.log")
    process.start()
    try:
        process.wait_until_it_answers(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.stop()


def fill(platform: LocalPlatform, admin: Client) -> tuple[int, int]:
    """Two projects of the stopped-and-started platform: one with few jobs, one with many."""
    shutil.copytree(ROOT / "samples/digits", platform.datasets / "digits")
    few, many = (admin.post("/projects", {"name": name})["id"] for name in ("few", "many"))
    template = admin.post(
        "/training/jobs",
        {
            "project_id": few,
            "framework": "timm",
            "model_name": "resnet18",
            "task_type": "image_classification",
            "dataset_path": str(platform.datasets / "digits"),
        },
    )["id"]
    for number in range(PROJECTS - 2):
        admin.post("/projects", {"name": f"project {number}"})
    platform.backend.stop()
    with closing(sqlite3.connect(platform.folder / "data/platform.db")) as database, database:
        copy_job(database, template, few, FEW_JOBS - 1)
        copy_job(database, template, many, MANY_JOBS)
        database.execute("ANALYZE")
    platform.start()
    return few, many


def copy_job(database: sqlite3.Connection, template: int, project_id: int, count: int) -> None:
    database.row_factory = sqlite3.Row
    row = dict(database.execute("SELECT * FROM training_jobs WHERE id = ?", (template,)).fetchone())
    del row["id"]
    columns = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    copies = ({**row, "project_id": project_id, "job_uid": uuid.uuid4().hex} for _ in range(count))
    database.executemany(f"INSERT INTO training_jobs ({columns}) VALUES ({marks})", copies)
    database.execute("UPDATE projects SET experiment_count = experiment_count + ? WHERE id = ?", (count, project_id))


def streams_of(api: str, project_id: int) -> list[str]:
    """One in four follows the project, the others its jobs."""
    jobs = [f"{api}/training/jobs/{number}/events" for number in range(1, FEW_JOBS + 1)]
    project = f"{api}/projects/{project_id}/events"
    return [project if number % 4 == 0 else jobs[number % FEW_JOBS] for number in range(STREAMS)]


def measure(folder: Path) -> list[Row]:
    platform = LocalPlatform(folder)
    platform.start()
    try:
        with bare_endpoint(folder) as bare_url:
            few, many = fill(platform, Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD))
            token = Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD).http.headers["Authorization"][7:]
            api = f"{platform.url}/api/v1"
            bare = partial(requests_per_second, bare_url)

            def p99_with(streams: Sequence[str]) -> float:
                return p99_milliseconds(f"{api}/projects/{few}/experiments", token=token, streams=streams)

            def seconds_per_list(project_id: int) -> float:
                return 1000 / requests_per_second(f"{api}/projects/{project_id}/experiments", token=token, count=20)

            return [
                compare(
                    f"experiment list, {MANY_JOBS:,} jobs",
                    partial(seconds_per_list, many),
                    f"the same list with {FEW_JOBS} jobs",
                    partial(seconds_per_list, few),
                    target="<=1.5",
                    unit="ms",
                ),
                compare(
                    "project list",
                    partial(requests_per_second, f"{api}/projects", token=token, count=50),
                    "a bare FastAPI endpoint",
                    bare,
                    target=">=0.5",
                    unit="1/s",
                ),
                compare(
                    "model list",
                    partial(requests_per_second, f"{api}/models/list", token=token, count=50),
                    "a bare FastAPI endpoint",
                    bare,
                    target=">=0.7",
                    unit="1/s",
                ),
                compare(
                    f"p99 of a list with {STREAMS} open streams",
                    partial(p99_with, streams_of(api, few)),
                    "the same without streams",
                    partial(p99_with, ()),
                    target="<=1.5",
                    unit="ms",
                ),
            ]
    finally:
        platform.stop()
        Client.close_all()


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vision-bench-") as folder:
        rows = [
            *measure(Path(folder) / "lists"),
            *metric_points.measure(Path(folder) / "metric_points"),
            *first_batch.measure(Path(folder) / "first_batch"),
        ]
    sys.stdout.write(write(rows, ROOT / "build/bench.json") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
