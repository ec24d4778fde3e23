"""Routes of a training's results: metrics, logs, artifacts and event streams."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.responses import PlainTextResponse, StreamingResponse

from vision_api.auth.dependencies import CurrentStream, CurrentUser, StreamUser
from vision_api.dependencies import DatabaseDep, NotifierDep, ReadSession, StoreDep
from vision_api.kit.schemas import ResourceId
from vision_api.projects.access import get_project_for
from vision_api.training_jobs import access
from vision_api.training_jobs.results import downloads, use_cases
from vision_api.training_jobs.schemas import ArtifactRead, LogLineRead, MetricSeries, PresignedUrl
from vision_api.training_jobs.status import ENDED
from vision_api.training_jobs.streaming import streams
from vision_contracts import LogLevel, format_time

router = APIRouter(tags=["training jobs"])

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
EVENT_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {SSE: {}}, "description": "Server-sent events."}}
LONGEST_EVENT_ID = 9
"""Digits of the largest event id that a job can have."""
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
Count = 2**31 - 1


@router.get("/training/jobs/{job_id}/metrics")
async def get_metrics(
    job_id: ResourceId,
    session: ReadSession,
    user: CurrentUser,
    names: Annotated[list[str] | None, Query(description="Only these, repeated or separated by commas.")] = None,
    after_step: Annotated[int | None, Query(ge=0, le=Count, description="Only later points.")] = None,
    max_points: Annotated[int, Query(ge=4, le=100_000, description="Of each name; extremes are kept.")] = 1000,
) -> list[MetricSeries]:
    """Get the curves of an experiment. Long ones are thinned, and keep every peak."""
    selected = [name for given in names or () for name in given.split(",") if name]
    return await use_cases.metrics(
        session, user=user, job_id=job_id, names=selected, after_step=after_step, max_points=max_points
    )


@router.get(
    "/training/jobs/{job_id}/logs",
    responses={200: {"model": LogLineRead, "content": {NDJSON: {}, "text/plain": {}}}},
    response_class=Response,
)
async def get_logs(
    job_id: ResourceId,
    session: ReadSession,
    user: CurrentUser,
    after: Annotated[int, Query(ge=0, le=Count, description="The last id that you have.")] = 0,
    level: Annotated[LogLevel, Query(description="The least urgent level to return.")] = LogLevel.DEBUG,
    limit: Annotated[int, Query(ge=1, le=10_000, description="The largest number of lines.")] = 10_000,
    accept: Annotated[str, Header()] = NDJSON,
) -> Response:
    """Get the log of an experiment: a JSON object a line, or plain lines with `Accept: text/plain`.

    Of a long log the newest lines are kept; if lines after your last id are gone, the first line says how many.
    """
    lines = await use_cases.log_lines(session, user=user, job_id=job_id, after=after, level=level, limit=limit)
    if "text/plain" in accept:
        return PlainTextResponse(_plain(lines))
    return Response("".join(f"{line.model_dump_json()}\n" for line in lines), media_type=NDJSON)


def _plain(lines: Sequence[LogLineRead]) -> str:
    return "".join(f"{format_time(line.time)} {line.level:<7} {line.message}\n" for line in lines)


@router.get("/training/jobs/{job_id}/artifacts")
async def list_artifacts(job_id: ResourceId, session: ReadSession, user: CurrentUser) -> list[ArtifactRead]:
    """List the files that an experiment has produced so far."""
    return await use_cases.artifacts(session, user=user, job_id=job_id)


@router.get(
    "/training/jobs/{job_id}/artifacts/{name:path}",
    response_class=Response,
    responses={200: {"model": PresignedUrl, "content": {"application/octet-stream": {}}}, 206: {}, 304: {}},
)
async def get_artifact(
    job_id: ResourceId,
    name: str,
    database: DatabaseDep,
    user: StreamUser,
    store: StoreDep,
    request: Request,
    presign: Annotated[bool, Query(description="Return a URL at the store instead of the file.")] = False,
) -> Response:
    """Download a file, or a range of it. The suffix may be omitted: `checkpoints/best` finds `checkpoints/best.pt`."""
    async with database.snapshot() as session:
        artifact = await use_cases.artifact(session, user=user, job_id=job_id, name=name)
    return await downloads.respond(request, store, downloads.StoredFile.of(artifact), presign=presign)


@router.get(
    "/training/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={**EVENT_STREAM, 204: {"description": "The experiment has ended and you have its last event."}},
)
async def follow_training_job(
    job_id: ResourceId,
    session: ReadSession,
    viewer: CurrentStream,
    database: DatabaseDep,
    notifier: NotifierDep,
    last_event_id: Annotated[str | None, Header(description="As an EventSource sends it.")] = None,
) -> Response:
    """Follow an experiment as it trains: numbered events from the first, or from the one after `Last-Event-ID`.

    Each has an `id`, consecutive from 1, and JSON data with `job_id`, `attempt`, `time` and:

    | event | data |
    |---|---|
    | `status` | `status, status_reason, status_message` |
    | `progress` | `epoch, epochs, step, steps, percent, eta_seconds` |
    | `metrics` | `step, epoch, values: {name: number or null}` |
    | `rewind` | `step`: training continues from there, so drop every metric point beyond it |
    | `log` | `id, level, message` |
    | `checkpoint` | `name, step, epoch, is_best, sha256, size_bytes, values` |
    | `artifact` | `name, kind, size_bytes, sha256, content_type, step` |
    | `reset` | `job`, a snapshot: events that you have missed are not kept any more, so load everything again |
    | `end` | `status, status_reason, proposed_changes`: the last one; a reconnect is then answered with 204 |
    """
    job = await access.get_job_for(session, viewer.user, job_id)
    after = _event_id(last_event_id)
    if job.status in ENDED and after == job.last_event_id:
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    events = streams.job_events(database, notifier, viewer=viewer, job_id=job_id, after=after)
    return StreamingResponse(events, headers=STREAM_HEADERS, media_type=SSE)


@router.get("/projects/{project_id}/events", response_class=StreamingResponse, responses=EVENT_STREAM)
async def follow_project(
    project_id: ResourceId, session: ReadSession, viewer: CurrentStream, database: DatabaseDep, notifier: NotifierDep
) -> Response:
    """Follow a project: a `snapshot` of every experiment, then of each one that changes; `deleted` names one gone."""
    await get_project_for(session, viewer.user, project_id)
    snapshots = streams.project_snapshots(database, notifier, viewer=viewer, project_id=project_id)
    return StreamingResponse(snapshots, headers=STREAM_HEADERS, media_type=SSE)


def _event_id(header: str | None) -> int:
    """Return the id of the header; 0 is before the first event, -1 an invalid id, which leads to a reset."""
    if header is None or header == "":
        return 0
    return int(header) if header.isdecimal() and len(header) <= LONGEST_EVENT_ID else -1
