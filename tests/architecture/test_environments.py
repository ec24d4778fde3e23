"""Environments of every process that the platform starts, seen from outside: a canary in each variable that is no
child's business, and credentials that end where they are used.
"""

import io
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from client import Client
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, LocalPlatform
from test_fourth_framework import NEWCOMER, with_a_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

CANARY, STORAGE_CANARY = "canary-of-the-operator", "canary-of-the-storage"
PLANTED = {
    "AWS_SECRET_ACCESS_KEY": STORAGE_CANARY, "AZURE_STORAGE_KEY": STORAGE_CANARY,
    "GOOGLE_SERVICE_ACCOUNT": STORAGE_CANARY,
    "GITHUB_TOKEN": CANARY, "PGPASSWORD": CANARY, "SMTP_PASSWORD": CANARY, "PYTHON_SECRET": CANARY, "HFTOKEN": CANARY,
    "HUB_TOKEN": CANARY, "JWT_SECRET": CANARY + "-of-thirty-two-characters", "SERVICE_TOKEN": CANARY,
    "METRICS_TOKEN": CANARY, "DATABASE_PASSWORD": CANARY, "TIMM_SERVICE_URL": f"http://{CANARY}",
    "TIMM_HOME": CANARY, "YOLO_KEY": CANARY,
}  # fmt: skip
PASSED = {"HF_HOME": "passed", f"{NEWCOMER.upper()}_OPTION": "passed", "LIBRARY_KEY": "passed", "ADDED_LATER": "passed"}
KINDS = {
    "training-service": "service", f"-m {NEWCOMER}_service": "service", "warm parent:": "warm parent",
    "runner:": "runner", "trainer:": "trainer", "processing.prepare": "decoder", "hub.push_process": "pusher",
    "drawing_process": "drawer",
}  # fmt: skip


class Watch:
    """The environments of all descendants of a process, by kind, for as long as it watches."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._own = " ".join(self._root.cmdline())
        self.seen: dict[str, dict[str, str]] = {}
        self.all: dict[tuple[int, str], dict[str, str]] = {}

    def look(self) -> None:
        for process in self._root.children(recursive=True):
            with suppress(psutil.Error, OSError):
                command, environment = " ".join(process.cmdline()), process.environ()
                if command == self._own:  # a fork that does not run its own program yet
                    continue
                self.all[process.pid, command] = environment
                for words, kind in KINDS.items():
                    if words in command and environment:
                        self.seen[kind] = environment


@contextmanager
def watching(pid: int) -> Iterator[Watch]:
    watch, is_over = Watch(pid), threading.Event()

    def keep_looking() -> None:
        while not is_over.is_set():
            watch.look()
            time.sleep(0.02)

    thread = threading.Thread(target=keep_looking)
    thread.start()
    try:
        yield watch
    finally:
        is_over.set()
        thread.join()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[LocalPlatform]:
    running = with_a_folder(tmp_path)
    project = tmp_path / f"services/{NEWCOMER}/pyproject.toml"
    project.write_text(project.read_text() + '[tool.training-service]\nvariables = ["LIBRARY_*"]\n')
    running.backend.environment = {
        **running.backend.environment, **PLANTED, **PASSED, "HUB_NAMESPACE": "team", "HUB_URL": "http://127.0.0.1:9",
        "SERVICE_ENV_PASS": "ADDED_*",
    }  # fmt: skip
    shutil.copytree(ROOT / "samples/digits", running.datasets / "digits")
    try:
        running.start()
        yield running
    finally:
        running.stop()


def use_everything(platform: LocalPlatform) -> None:
    """Upload a data set and look at it, train on one, and push the result to a hub that does not answer."""
    admin = Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD)
    [card] = admin.get("/models/list", framework=NEWCOMER)
    project = admin.post("/projects", {"name": "Newcomers"})["id"]
    _upload_and_look(admin, project)
    job = admin.post(
        "/training/jobs",
        {
            "project_id": project, "framework": NEWCOMER, "model_name": card["model_name"],
            "task_type": card["task_types"][0], "dataset_path": str(platform.datasets / "digits"), "epochs": 2,
        },
    )["id"]  # fmt: skip
    admin.post(f"/training/jobs/{job}/start")
    admin.wait_for(job, "completed")
    admin.post(f"/projects/{project}/models", {"job_id": job, "name": "toy"})
    admin.post(f"/projects/{project}/models/toy/versions/1/pushes", {"repository": "toy"})


def _upload_and_look(admin: Client, project: int) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        for path in sorted((ROOT / "samples/digits").rglob("*.*")):
            content.write(path, path.relative_to(ROOT / "samples"))
    files = {"file": ("digits.zip", archive.getvalue())}
    answer = admin.http.post("/datasets", data={"name": "digits", "project_id": project}, files=files)
    dataset = answer.raise_for_status().json()["id"]
    while admin.get(f"/datasets/{dataset}")["status"] != "ready":
        time.sleep(0.1)
    admin.http.get(f"/datasets/{dataset}/preview").raise_for_status()


def test_children_have_what_they_need_and_no_canary(platform: LocalPlatform) -> None:
    assert platform.backend.popen is not None
    with watching(platform.backend.popen.pid) as watch:
        use_everything(platform)
        deadline = time.monotonic() + 60
        while "pusher" not in watch.seen and time.monotonic() < deadline:
            time.sleep(0.1)

    assert set(watch.seen) == set(KINDS.values())
    leaks = {who: name for who, values in watch.all.items() for name, value in values.items() if CANARY in value}
    assert leaks == {}
    with_storage = {kind for kind, values in watch.seen.items() if STORAGE_CANARY in values.values()}
    assert with_storage == {"service"}  # a runner forked from the warm parent is sent it in a packet
    for kind in ("service", "warm parent", "runner", "trainer"):
        assert PASSED.items() <= watch.seen[kind].items()
    for kind in ("decoder", "drawer"):
        assert "HF_HOME" not in watch.seen[kind]
        assert watch.seen[kind]["OMP_NUM_THREADS"] == "1"
