"""Routes of attempts. Those that use the disk are plain functions, run in threads."""

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
    """Return the service's identity and free capacity."""
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
        is_storage_full=supervisor.is_storage_full,
        kinds=list(service.kinds),
    )


@router.post("/training/start", status_code=202)
def start(spec: JobSpec, service: CurrentService) -> HeldJob:
    """Start an attempt. Sent twice, it is started once."""
    service.validator.check(spec)
    return service.supervisor.start(spec)


@router.get("/training/jobs")
def list_jobs(service: CurrentService) -> list[HeldJob]:
    """Return every attempt that this instance holds, running or ended."""
    return service.supervisor.list_held()


@router.get("/training/status/{job_uid}")
def status(job_uid: UUID, service: CurrentService, attempt: AttemptQuery = None) -> HeldJob:
    """Return one attempt, by default the newest of the job."""
    return service.supervisor.find(job_uid, attempt).describe()


@router.post("/training/stop/{job_uid}", status_code=202)
def stop(job_uid: UUID, order: StopRequest, service: CurrentService) -> HeldJob:
    """Order an attempt to stop; its terminal event reports the end."""
    return service.supervisor.stop(job_uid, order)


@router.get("/training/jobs/{job_uid}/events")
def events(
    job_uid: UUID,
    service: CurrentService,
    attempt: AttemptQuery = None,
    after: Annotated[int, Query(ge=0)] = 0,
    follow: bool = False,
) -> StreamingResponse:
    """Stream the events after number `after`, one a line; with `follow` also new ones. 404 for an unknown number."""
    held = service.supervisor.find(job_uid, attempt)
    held.check_can_resume(after=after)
    lines = stream_events(held, after=after, follow=follow, is_closing=lambda: service.is_closing)
    return StreamingResponse(lines, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})


@router.delete("/training/jobs/{job_uid}", status_code=204)
def delete(job_uid: UUID, service: CurrentService, attempt: AttemptQuery = None) -> Response:
    """Delete the files of an attempt, or of the whole job. A running one must be stopped first."""
    service.supervisor.delete(job_uid, attempt)
    return Response(status_code=204)
