"""`python -m quality.estimates`: compares pre-flights with the trainings that follow; writes docs/estimates.md.

A platform of its own trains on the samples of the checkout, one experiment after the other.
"""

import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from client import Client
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, LocalPlatform

from quality.runs import CLASSIFY, DETECT, INSTANCES, SEMANTIC

PAGE = ROOT / "docs" / "estimates.md"
EPOCHS = 2
HEAD = """# How far estimates are off

A pre-flight (`POST /training/jobs/preflight`) beside the training that followed it: two epochs of the samples in this
repository, on `{device}`. The first model of a framework and task is estimated from its card (`model_card`), the next
from the one before it (`similar_training`). A dry run trains a few batches and measures; real memory is the most that
it took, and the larger part of that is here the framework itself. MB: estimate / real.

Made by `cd tests && .venv/bin/python -m quality.estimates`.

| framework | model | task | px | batch | memory, MB | checkpoint, MB | epoch, s | by | by a dry run, s | real, s |
|---|---|---|--:|--:|--:|--:|--:|---|--:|--:|
"""


@dataclass(frozen=True)
class Trial:
    """Settings of one experiment."""

    framework: str
    model: str
    task_type: str
    dataset: str
    image_size: int
    batch_size: int


TRIALS = (
    Trial("timm", "resnet18", CLASSIFY, "digits", 64, 16),
    Trial("timm", "mobilenetv3_small_100", CLASSIFY, "digits", 64, 16),
    Trial("timm", "vit_tiny_patch16_224", CLASSIFY, "digits", 64, 16),
    Trial("ultralytics", "yolov8n-cls", CLASSIFY, "digits", 64, 16),
    Trial("ultralytics", "yolo11n", DETECT, "coins", 128, 8),
    Trial("ultralytics", "yolov8s", DETECT, "coins", 128, 8),
    Trial("ultralytics", "yolo11n-seg", INSTANCES, "coins", 128, 8),
    Trial("huggingface", "microsoft/resnet-18", CLASSIFY, "digits", 64, 16),
    Trial("huggingface", "WinKawaks/vit-tiny-patch16-224", CLASSIFY, "digits", 64, 16),
    Trial("huggingface", "hustvl/yolos-tiny", DETECT, "coins", 128, 4),
    Trial("huggingface", "nvidia/segformer-b0-finetuned-ade-512-512", SEMANTIC, "coins", 128, 4),
)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="estimates-") as folder:
        platform = LocalPlatform(Path(folder))
        for name in ("digits", "coins"):
            shutil.copytree(ROOT / "samples" / name, platform.datasets / name)
        platform.start()
        try:
            user = Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD)
            _wait_for_services(platform.url)
            project = user.post("/projects", {"name": "Estimates"})["id"]
            rows = [_try(user, project, platform.datasets, trial) for trial in TRIALS]
        finally:
            Client.close_all()
            platform.stop()
    PAGE.write_text(HEAD.format(device=rows[0][0]) + "".join(row for _, row in rows))
    return 0


def _wait_for_services(url: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while (answer := httpx.get(f"{url}/ready").json())["status"] != "ready":
        assert time.monotonic() < deadline, answer
        time.sleep(1)


def _try(user: Client, project: int, datasets: Path, trial: Trial) -> tuple[str, str]:
    """Return the device and a row of the table."""
    settings = {
        "project_id": project, "framework": trial.framework, "model_name": trial.model, "task_type": trial.task_type,
        "dataset_path": str(datasets / trial.dataset), "epochs": EPOCHS, "batch_size": trial.batch_size,
        "hyperparameters": {"image_size": trial.image_size},
    }  # fmt: skip
    preflight = user.post("/training/jobs/preflight", settings | {"dry_run": True})
    dry_run = preflight["dry_run"]
    while dry_run["status"] not in ("completed", "failed", "cancelled"):
        time.sleep(0.5)
        dry_run = user.get(f"/training/jobs/preflight/{dry_run['id']}")
    assert dry_run["status"] == "completed", dry_run
    job = user.post("/training/jobs", settings)
    user.post(f"/training/jobs/{job['id']}/start")
    job = user.wait_for(job["id"], "completed", seconds=900)
    (epochs,) = user.get(f"/training/jobs/{job['id']}/metrics", names="time/epoch_seconds")
    artifacts = user.get(f"/training/jobs/{job['id']}/artifacts")
    checkpoint = next(one["size_bytes"] for one in artifacts if one["name"].startswith("checkpoints/last"))
    estimates, measured = preflight["estimates"], dry_run["values"]
    dry = measured["preflight/seconds_per_step"] * measured["preflight/steps_per_epoch"]
    memory, checkpoint = (
        f"{estimate / 1e6:.0f} / {real / 1e6:.0f}"
        for estimate, real in (
            (estimates["memory_bytes"], measured["preflight/peak_memory_bytes"]),
            (estimates["checkpoint_bytes"], checkpoint),
        )
    )
    cells = [trial.framework, f"`{trial.model}`", trial.task_type, trial.image_size, trial.batch_size]
    cells += [memory, checkpoint, f"{estimates['epoch_seconds']:.1f}", estimates["time_basis"]]
    cells += [f"{dry:.1f}", f"{epochs['points'][-1]['value']:.1f}"]
    row = "| " + " | ".join(map(str, cells)) + " |\n"
    sys.stderr.write(row)
    return job["environment"]["device"], row


if __name__ == "__main__":
    sys.exit(main())
