"""Training: start it, watch it, stop it, forget it. Routes that touch the disk are plain functions, run in threads."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from trainer_kit.server.event_stream import stream_events
from trainer_kit.server.service import CurrentService
from vision_contracts import HeldJob, JobSpec, ServiceReady, StopRequest

AttemptQuery = Annotated[int | None, Query(ge=1)]

router = APIRouter()


@router.get("/ready")
def ready(service: CurrentService) -> ServiceReady:
    """Who answers, and what it can take on now."""
    supervisor = service.supervisor
    return ServiceReady(
        instance_id=supervisor.instance_id,
        boot_id=supervisor.boot_id,
        framework=service.catalog.models.framework,
        framework_version=service.catalog.models.framework_version,
        slots=supervisor.slots,
        free_slots=supervisor.free_slots,
        devices=list(service.devices),
        draining=supervisor.is_draining,
        kinds=list(service.kinds),
    )


@router.post("/training/start", status_code=202)
def start(spec: JobSpec, service: CurrentService) -> HeldJob:
    """Starts an attempt. The same one twice is started once."""
    service.validator.check(spec)
    return service.supervisor.start(spec)


@router.get("/training/jobs")
def list_jobs(service: CurrentService) -> list[HeldJob]:
    """Every attempt that this instance holds, running or ended."""
    return service.supervisor.list_held()


@router.get("/training/status/{job_uid}")
def status(job_uid: UUID, service: CurrentService, attempt: AttemptQuery = None) -> HeldJob:
    """One attempt, by default the newest of the job."""
    return service.supervisor.find(job_uid, attempt).describe()


@router.post("/training/stop/{job_uid}", status_code=202)
def stop(job_uid: UUID, order: StopRequest, service: CurrentService) -> HeldJob:
    """Orders the end of an attempt; its events tell when it has come."""
    return service.supervisor.stop(job_uid, order)


@router.get("/training/jobs/{job_uid}/events")
def events(
    job_uid: UUID,
    service: CurrentService,
    attempt: AttemptQuery = None,
    after: Annotated[int, Query(ge=0)] = 0,
    follow: bool = False,
) -> StreamingResponse:
    """The events after number `after`, one a line; with `follow` also those to come. 404 for a number to come."""
    held = service.supervisor.find(job_uid, attempt)
    held.expect_reader(after=after)
    lines = stream_events(held, after=after, follow=follow, is_closing=lambda: service.is_closing)
    return StreamingResponse(lines, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})


@router.delete("/training/jobs/{job_uid}", status_code=204)
def delete(job_uid: UUID, service: CurrentService, attempt: AttemptQuery = None) -> Response:
    """Frees the disk of an attempt, or of the whole job. What runs must be stopped first."""
    service.supervisor.delete(job_uid, attempt)
    return Response(status_code=204)
