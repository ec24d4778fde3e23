"""Metrics, logs and artifacts over HTTP."""

import json
import math
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert
from support.common import fields_of, problem_of
from support.job_rows import MakeJob

from data_kit import ObjectStore
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import Artifact, LogLine, MetricPoint, TrainingJob

JOBS = "/api/v1/training/jobs"


@pytest.fixture
async def job(make_job: MakeJob) -> TrainingJob:
    return await make_job(status="running", attempt=1)


async def add_points(database: Database, job: TrainingJob, name: str, values: list[float | None]) -> None:
    rows = [
        {"job_id": job.id, "name": name, "step": step, "epoch": 0, "value": value, "time": utc_now()}
        for step, value in enumerate(values, start=1)
    ]
    async with database.transaction() as session:
        await session.execute(insert(MetricPoint), rows)


async def test_curves_come_by_name_and_in_order(api: httpx.AsyncClient, database: Database, job: TrainingJob) -> None:
    await add_points(database, job, "val/loss", [3.0, None, 1.0])
    await add_points(database, job, "time/epoch_seconds", [2.5])

    everything = (await api.get(f"{JOBS}/{job.id}/metrics")).json()
    some = (await api.get(f"{JOBS}/{job.id}/metrics", params={"names": "val/loss,lr", "after_step": 1})).json()

    assert [(series["name"], series["unit"]) for series in everything] == [
        ("time/epoch_seconds", "s"), ("val/loss", None),
    ]  # fmt: skip
    assert [point["value"] for point in everything[1]["points"]] == [3.0, None, 1.0]
    [series] = some
    assert [(point["step"], point["value"]) for point in series["points"]] == [(2, None), (3, 1.0)]
    assert set(series["points"][0]) == {"step", "epoch", "value", "time"}


async def test_a_long_curve_is_thinned_but_keeps_its_peaks_and_its_end(
    api: httpx.AsyncClient, database: Database, job: TrainingJob
) -> None:
    values: list[float | None] = [math.sin(step / 50) for step in range(5000)]
    values[1234], values[4321], values[100] = 99.0, -99.0, None
    await add_points(database, job, "train/loss", values)

    [series] = (await api.get(f"{JOBS}/{job.id}/metrics", params={"max_points": 100})).json()

    points = {point["step"]: point["value"] for point in series["points"]}
    assert 50 <= len(points) <= 100
    assert (points[1235], points[4322]) == (99.0, -99.0)
    assert 5000 in points
    assert list(points) == sorted(points)


async def test_a_log_is_lines_of_json_or_text(api: httpx.AsyncClient, database: Database, job: TrainingJob) -> None:
    rows = [
        {"job_id": job.id, "line_id": index, "attempt": 1, "time": utc_now(), "level": level, "message": level}
        for index, level in enumerate(["debug", "info", "warning", "error"], start=1)
    ]
    async with database.transaction() as session:
        await session.execute(insert(LogLine), rows)
    path = f"{JOBS}/{job.id}/logs"

    async def ids(**query: Any) -> list[int]:
        answer = await api.get(path, params=query)
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line)["id"] for line in answer.text.splitlines()]

    assert await ids() == [1, 2, 3, 4]
    assert await ids(after=2) == [3, 4]
    assert await ids(level="warning") == [3, 4]
    assert await ids(limit=1) == [1]
    plain = await api.get(path, headers={"Accept": "text/plain"}, params={"after": 3})
    assert plain.headers["content-type"].startswith("text/plain")
    assert plain.text.endswith("Z error   error\n")


async def test_a_log_says_where_it_was_cut(api: httpx.AsyncClient, database: Database, make_job: MakeJob) -> None:
    job = await make_job(status="running", attempt=2, last_log_id=1236)
    rows = [
        {"job_id": job.id, "line_id": index, "attempt": 2, "time": utc_now(), "level": level, "message": level}
        for index, level in ((1235, "info"), (1236, "error"))
    ]
    async with database.transaction() as session:
        await session.execute(insert(LogLine), rows)
    path = f"{JOBS}/{job.id}/logs"

    async def lines(**query: Any) -> list[tuple[int, str, str]]:
        found = map(json.loads, (await api.get(path, params=query)).text.splitlines())
        return [(line["id"], line["level"], line["message"]) for line in found]

    note = "… {} not kept (JOB_LOG_LINES_KEPT)"
    all_of_it = (1234, "warning", note.format("1,234 earlier lines are"))
    assert await lines() == [all_of_it, (1235, "info", "info"), (1236, "error", "error")]
    assert await lines(after=1233) == [(1234, "warning", note.format("1 earlier line is")), *(await lines(after=1234))]
    assert await lines(after=1234) == [(1235, "info", "info"), (1236, "error", "error")]
    assert await lines(after=1236) == []
    assert await lines(limit=1) == [all_of_it]
    assert await lines(level="error") == [(1234, "error", all_of_it[2]), (1236, "error", "error")]
    plain = (await api.get(path, headers={"Accept": "text/plain"})).text.splitlines()
    assert plain[0].endswith(f"warning {all_of_it[2]}")
    assert len(plain) == 3


async def test_a_log_of_which_nothing_is_kept_says_so(api: httpx.AsyncClient, make_job: MakeJob) -> None:
    job = await make_job(status="running", attempt=1, last_log_id=7)

    [line] = (await api.get(f"{JOBS}/{job.id}/logs")).text.splitlines()

    assert json.loads(line)["id"] == 7


@pytest.fixture
async def artifact(database: Database, app: FastAPI, job: TrainingJob) -> bytes:
    """`plots/curve.png` of the job, stored."""
    content = bytes(range(256)) * 10
    store: ObjectStore = app.state.store
    stored = store.put_bytes(content, f"jobs/{job.job_uid}/attempts/1/plots/curve.png")
    async with database.transaction() as session:
        session.add(
            Artifact(
                job_id=job.id, name="plots/curve.png", kind="plot", uri=stored.uri, size_bytes=stored.size_bytes,
                sha256=stored.sha256, content_type="image/png", attempt=1, step=8, created_at=utc_now(),
            )
        )  # fmt: skip
    return content


async def test_an_artifact_is_listed_without_its_place(
    api: httpx.AsyncClient, job: TrainingJob, artifact: bytes
) -> None:
    [listed] = (await api.get(f"{JOBS}/{job.id}/artifacts")).json()

    assert set(listed) == {
        "name", "kind", "size_bytes", "sha256", "content_type", "attempt", "step", "created_at",
    }  # fmt: skip
    assert (listed["name"], listed["size_bytes"]) == ("plots/curve.png", len(artifact))


async def test_an_artifact_is_downloaded_whole_or_in_part(
    api: httpx.AsyncClient, job: TrainingJob, artifact: bytes
) -> None:
    path = f"{JOBS}/{job.id}/artifacts/plots/curve.png"

    whole = await api.get(path)
    part = await api.get(path, headers={"Range": "bytes=100-199"})
    known = await api.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    longer = await api.get(path, headers={"If-None-Match": f'"{whole.headers["ETag"]}"'})
    listed = await api.get(path, headers={"If-None-Match": f'"another", W/{whole.headers["ETag"]}'})
    changed = await api.get(path, headers={"Range": "bytes=0-9", "If-Range": '"another"'})

    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, artifact, "image/png")
    assert (part.status_code, part.content) == (206, artifact[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(artifact)}"
    assert (known.status_code, known.content) == (304, b"")
    anything = await api.get(path, headers={"If-None-Match": "*"})
    assert (longer.status_code, listed.status_code, anything.status_code) == (200, 304, 304)
    assert (changed.status_code, changed.content) == (200, artifact)
    problem_of(await api.get(path, headers={"Range": "bytes=99999-"}), 416, "range_not_satisfiable")


async def test_what_cannot_be_had_is_said(
    api: httpx.AsyncClient, app: FastAPI, job: TrainingJob, artifact: bytes
) -> None:
    path = f"{JOBS}/{job.id}/artifacts"
    problem_of(await api.get(f"{path}/plots/other.png"), 404, "not_found")
    presigned = await api.get(f"{path}/plots/curve.png", params={"presign": "1"})
    assert fields_of(problem_of(presigned, 422, "validation_failed")) == ["presign"]

    app.state.store.delete_prefix(f"jobs/{job.job_uid}")

    problem_of(await api.get(f"{path}/plots/curve.png"), 404, "not_found")


@pytest.mark.parametrize(
    "wanted", ["bytes=99999999999999999999-", "bytes=" + "9" * 5000 + "-", "bytes=a-b", "lines=1-2"]
)
async def test_a_range_that_makes_no_sense_is_ignored(
    api: httpx.AsyncClient, job: TrainingJob, artifact: bytes, wanted: str
) -> None:
    whole = await api.get(f"{JOBS}/{job.id}/artifacts/plots/curve.png", headers={"Range": wanted})

    assert (whole.status_code, whole.content) == (200, artifact)


async def test_a_ticket_opens_one_artifact(
    client: httpx.AsyncClient, api: httpx.AsyncClient, job: TrainingJob, artifact: bytes
) -> None:
    path = f"{JOBS}/{job.id}/artifacts/plots/curve.png"
    ticket = (await api.post("/api/v1/auth/stream-ticket", json={"path": path})).json()["ticket"]
    del client.headers["Authorization"]

    assert (await client.get(path, params={"ticket": ticket})).content == artifact
    problem_of(await client.get(f"{JOBS}/{job.id}/artifacts", params={"ticket": ticket}), 422, "validation_failed")
