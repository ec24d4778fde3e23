"""Models described in the Hugging Face hub's format."""

from typing import Any

import httpx
import yaml
from fastapi import FastAPI
from support.common import problem_of
from support.small_service import make_card, make_list
from support.trained_jobs import DIGEST, TrainJob, make_report

from vision_api.models import Project
from vision_api.platform import platform_of

ENVIRONMENT = {"device": "cpu", "versions": {"small-vision": "1.0", "torch": "2.15.0"}, "platform": "0.1.0"}


def _read(answer: httpx.Response) -> tuple[dict[str, Any], str]:
    """Return the metadata and the text."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    before, metadata, text = answer.text.split("---\n", 2)
    assert before == ""
    return yaml.safe_load(metadata), text


async def test_a_card_describes_model_training_and_metrics(
    api: httpx.AsyncClient, app: FastAPI, project: Project, train_job: TrainJob
) -> None:
    await platform_of(app).catalog.put(make_list(make_card("tiny", license="apache-2.0", params=1234567)))
    job = await train_job(
        report=make_report({"cat": 0.9, "dog": 0.7}), name="| `x` [a](http://b) <b>", environment=ENVIRONMENT
    )
    url = f"/api/v1/projects/{project.id}/models"
    body = {"name": "reader", "job_id": job.id, "notes": "For the *coins*.\n---\n# of 2026"}
    assert (await api.post(url, json=body)).status_code == 201

    metadata, text = _read(await api.get(f"{url}/reader/versions/latest/model-card"))

    [index] = metadata.pop("model-index")
    assert metadata == {
        "license": "apache-2.0", "library_name": "small-vision", "pipeline_tag": "image-classification",
        "tags": ["image-classification", "small", "tiny", "vision"],
        "metrics": ["accuracy", "expected_calibration_error", "f1_macro", "loss"],
    }  # fmt: skip
    assert index["name"] == "Digits/reader:1"
    [result] = index["results"]
    assert result["task"] == {"type": "image-classification", "name": "Image Classification"}
    assert (result["dataset"]["split"], result["dataset"]["revision"]) == ("val", DIGEST)
    assert {"type": "f1_macro", "name": "val/f1_macro", "value": 0.8} in result["metrics"]
    for line in (
        "# Digits/reader:1", "> For the *coins*.", "> \\# of 2026", "| Parameters | 1,234,567 |",
        "| One image takes | 5 ms on A CPU, float32, 32 pixels |", "| dropout | 0.0 |",
        f"| Digest | {DIGEST} |", "| optimizer | sgd |", "| torch | 2.15.0 |", "| **val/accuracy** | 0.8 |",
    ):  # fmt: skip
        assert line in text.splitlines()

    metadata, text = _read(await api.get(f"/api/v1/training/jobs/{job.id}/model-card"))
    assert "# \\| \\`x\\` \\[a\\](http://b) \\<b\\>" in text.splitlines()
    assert metadata["model-index"][0]["results"] == index["results"]


async def test_a_card_says_that_facts_are_unknown(api: httpx.AsyncClient, train_job: TrainJob) -> None:
    bare = await train_job(dataset_digest=None, dataset_path="/data/digits", environment=None)

    metadata, text = _read(await api.get(f"/api/v1/training/jobs/{bare.id}/model-card"))

    assert (metadata["license"], metadata["library_name"]) == ("unknown", "small")
    assert "- It was trained on a folder: what that held is not kept." in text.splitlines()
    missing = await api.get(f"/api/v1/training/jobs/{bare.id}/model-card", params={"artifact": "exports/x"})
    problem_of(missing, 404, "not_found")
