"""Comparison of experiments over HTTP."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from support.common import AuthHeaders, MakeUser, fields_of, problem_of
from support.trained_jobs import TrainJob, make_report

from data_kit import ObjectStore, StorageError
from vision_api.db.session import Database
from vision_api.models import Project, ProjectMember, TrainingJob, User
from vision_api.platform import platform_of
from vision_api.training_jobs.results import reports

pytestmark = pytest.mark.one_database

URL = "/api/v1/training/jobs/compare"


async def _compare(api: httpx.AsyncClient, *jobs: TrainingJob, **query: Any) -> dict[str, Any]:
    answer = await api.get(URL, params={"ids": ",".join(str(job.id) for job in jobs)} | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _by_name(many: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in many}


async def test_settings_metrics_curves_and_classes_are_compared(api: httpx.AsyncClient, train_job: TrainJob) -> None:
    first = await train_job(
        accuracies=[0.5, 0.8, 0.7], report=make_report({"cat": 0.9, "dog": 0.7}), hyperparameters={"mixup": 0.2}
    )
    second = await train_job(accuracies=[0.6, 0.75], steps_per_epoch=8, batch_size=2, framework="other")

    found = await _compare(api, first, second)

    assert (found["comparable"], found["reasons"]) == (True, [])
    [group] = found["groups"]
    assert (group["jobs"], group["best_job_id"]) == ([first.id, second.id], first.id)
    different = {one["name"]: one["values"] for one in found["settings"]["different"]}
    assert different == {
        "batch_size": [4, 2], "framework": ["small", "other"], "epochs": [3, 2], "hyperparameters.mixup": [0.2, None],
    }  # fmt: skip
    equal = {one["name"]: one["value"] for one in found["settings"]["equal"]}
    assert (equal["learning_rate"], equal["environment.versions.torch"]) == (0.01, "2.15.0")
    metrics = _by_name(found["metrics"])
    assert metrics["val/accuracy"]["values"] == [pytest.approx(0.8), 0.75]
    assert metrics["val/accuracy"]["sources"] == ["report", "training"]
    assert metrics["val/loss"]["values"] == [pytest.approx(0.2), 0.25]
    calibration = metrics["val/expected_calibration_error"]
    assert [one["direction"] for one in (metrics["val/loss"], calibration, metrics["val/f1_macro"])] == [
        "min", "min", "max",
    ]  # fmt: skip
    assert calibration["values"] == [0.1, None]
    curves = _by_name(found["curves"])
    assert set(curves) == {"val/accuracy", "val/loss", "time/epoch_seconds", "train/loss"}
    drawn = [[point["x"] for point in series["points"]] for series in curves["val/accuracy"]["series"]]
    assert drawn == [[1, 2, 3], [1, 2]]
    assert curves["train/loss"]["series"][1]["points"][11]["x"] == 1.5
    jobs = found["jobs"]
    assert [job["best_epoch"] for job in jobs] == [2, 2]
    assert [job["report"]["state"] for job in jobs] == ["read", "missing"]
    assert jobs[0]["report"]["images"] == {"val": 20}
    assert jobs[0]["cost"].pop("speed")["device_name"] == "A CPU"
    assert jobs[0]["cost"] == {
        "wall_seconds": 60.0, "epochs": 3, "epoch_seconds": 2.0, "params": 1234, "gmacs": None, "checkpoint_bytes": 17,
        "latency_seconds": 0.005, "device": "cpu",
    }  # fmt: skip
    only = await _compare(api, first, second, names="val/loss")
    assert [curve["name"] for curve in only["curves"]] == ["val/loss"]


async def test_classes_that_differ_most_are_first(api: httpx.AsyncClient, train_job: TrainJob) -> None:
    first = await train_job(report=make_report({"cat": 0.9, "dog": 0.7}))
    second = await train_job(report=make_report({"cat": 0.8, "dog": 0.2}))

    classes = (await _compare(api, first, second))["classes"]
    of_test = (await _compare(api, first, second, split="test"))["classes"]

    assert (classes["split"], classes["metric"]) == ("val", "f1")
    assert [one["name"] for one in classes["classes"]] == ["dog", "cat"]
    assert classes["classes"][0] == {
        "name": "dog", "support": [10, 10], "values": {"f1": [0.7, 0.2]}, "spread": pytest.approx(0.5),
    }  # fmt: skip
    assert of_test == {"split": "test", "metric": None, "classes": []}


MEASURED_ELSEWHERE: list[tuple[dict[str, Any], str, int]] = [
    ({"dataset_digest": "c" * 64}, "dataset_differs", 2),
    ({"dataset_digest": None, "dataset_path": "/data/digits"}, "dataset_unversioned", 2),
    ({"validation_split": "val-seed-7"}, "split_differs", 2),
    ({"task_type": "object_detection"}, "task_differs", 2),
    ({"report": make_report({"cat": 1.0, "dog": 1.0}, images=19)}, "images_differ", 1),
]


async def test_measurements_on_other_images_are_not_comparable(api: httpx.AsyncClient, train_job: TrainJob) -> None:
    job = await train_job(report=make_report({"cat": 1.0, "dog": 1.0}))
    for fields, code, groups in MEASURED_ELSEWHERE:
        other = await train_job(**fields)

        found = await _compare(api, job, other)

        assert found["comparable"] is False
        [reason] = found["reasons"]
        assert reason["code"] == code
        assert other.id in reason["jobs"]
        assert len(found["groups"]) == groups
        assert (found["groups"][0]["best_job_id"] is None) is (code == "images_differ")


BROKEN = {
    b"{}": "framework: Field required",
    b"[" * 100_000: "Invalid JSON",
    make_report({"a": 1, "b": 1}, framework="other").model_dump_json().encode(): "it is about",
    make_report({"a": 1, "b": 1}, report_version=99).model_dump_json().encode(): "newer than this platform",
    b" " * 200_000: "larger than",
}


async def test_a_broken_report_is_said(
    api: httpx.AsyncClient, train_job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "LARGEST_BYTES", 150_000)
    whole = await train_job(report=make_report({"a": float("nan"), "b": 1}))
    for content, message in BROKEN.items():
        found = await _compare(api, await train_job(report=content), whole)

        assert found["jobs"][0]["report"]["state"] == "broken"
        assert message in found["jobs"][0]["report"]["message"]
        assert _by_name(found["metrics"])["val/accuracy"]["values"] == [0.75, None]


async def test_a_report_that_is_gone_outdated_or_out_of_reach_is_said(
    api: httpx.AsyncClient, app: FastAPI, train_job: TrainJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = platform_of(app).store
    job = await train_job(report=make_report({"a": 1, "b": 1}))
    retried = await train_job(report=make_report({"a": 1, "b": 1}), status="queued")
    store.delete_prefix(f"jobs/{job.job_uid}")

    gone = await _compare(api, job, retried)

    def refuse(*_: Any) -> None:
        raise StorageError("not now")

    monkeypatch.setattr(ObjectStore, "read", refuse)
    away = await _compare(api, job, retried)

    assert [one["report"]["state"] for one in gone["jobs"]] == ["missing", "outdated"]
    assert away["jobs"][0]["report"]["state"] == "unavailable"


async def test_experiments_of_ones_other_projects_can_be_compared_and_no_others(
    api: httpx.AsyncClient, database: Database, owner: User, train_job: TrainJob, make_user: MakeUser,
    auth_headers: AuthHeaders,
) -> None:  # fmt: skip
    own, other = Project(name="own"), Project(name="other")
    async with database.transaction() as session:
        session.add_all([own, other])
        await session.flush()
        session.add(ProjectMember(project_id=own.id, user_id=owner.id, role="viewer"))
    job, seen, unseen = await train_job(), await train_job(project_id=own.id), await train_job(project_id=other.id)

    assert (await _compare(api, job, seen))["comparable"] is True
    problem_of(await api.get(URL, params={"ids": f"{job.id},{unseen.id}"}), 404, "not_found")
    stranger = await auth_headers(await make_user())
    problem_of(await api.get(URL, params={"ids": f"{job.id},{seen.id}"}, headers=stranger), 404, "not_found")


async def test_ids_that_make_no_sense_are_refused(api: httpx.AsyncClient) -> None:
    for ids in ("1", "1,1", "", "1,two", "-1,2", "1,99999999999999999999", ",".join(map(str, range(1, 12)))):
        assert fields_of(problem_of(await api.get(URL, params={"ids": ids}), 422, "validation_failed")) == ["ids"]
