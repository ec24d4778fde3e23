"""Training: start it, watch it, stop it, forget it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from trainer_kit.server.event_stream import stream_events
from trainer_kit.server.service import Service
from vision_contracts import HeldJob, JobSpec, ServiceReady, StopRequest

AttemptQuery = Annotated[int | None, Query(ge=1)]


def job_routes(service: Service) -> APIRouter:
    """The routes of this instance. Those that touch the disk are plain functions, which run in threads."""
    router = APIRouter()
    supervisor = service.supervisor

    @router.get("/ready")
    def ready() -> ServiceReady:  # pyright: ignore[reportUnusedFunction]
        """Who answers, and what it can take on now."""
        return ServiceReady(
            instance_id=supervisor.instance_id,
            boot_id=supervisor.boot_id,
            framework=service.catalog.models.framework,
            framework_version=service.catalog.models.framework_version,
            slots=supervisor.slots,
            free_slots=supervisor.free_slots,
            devices=service.devices,
            draining=supervisor.is_draining,
        )

    @router.post("/training/start", status_code=202)
    def start(spec: JobSpec) -> HeldJob:  # pyright: ignore[reportUnusedFunction]
        """Starts an attempt. The same one twice is started once."""
        service.validator.check(spec)
        return supervisor.start(spec)

    @router.get("/training/jobs")
    def list_jobs() -> list[HeldJob]:  # pyright: ignore[reportUnusedFunction]
        """Every attempt that this instance holds, running or ended."""
        return supervisor.list_held()

    @router.get("/training/status/{job_uid}")
    def status(job_uid: UUID, attempt: AttemptQuery = None) -> HeldJob:  # pyright: ignore[reportUnusedFunction]
        """One attempt, by default the newest of the job."""
        return supervisor.find(job_uid, attempt).describe()

    @router.post("/training/stop/{job_uid}", status_code=202)
    def stop(job_uid: UUID, request: StopRequest) -> HeldJob:  # pyright: ignore[reportUnusedFunction]
        """Orders the end of an attempt; its events tell when it has come."""
        return supervisor.stop(job_uid, request)

    @router.get("/training/jobs/{job_uid}/events")
    def events(  # pyright: ignore[reportUnusedFunction]
        job_uid: UUID, attempt: AttemptQuery = None, after: Annotated[int, Query(ge=0)] = 0, follow: bool = False
    ) -> StreamingResponse:
        """The events after number `after`, one a line; with `follow` also those to come."""
        held = supervisor.find(job_uid, attempt)
        lines = stream_events(held, after=after, follow=follow, is_closing=lambda: service.is_closing)
        return StreamingResponse(lines, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})

    @router.delete("/training/jobs/{job_uid}", status_code=204)
    def delete(job_uid: UUID, attempt: AttemptQuery = None) -> Response:  # pyright: ignore[reportUnusedFunction]
        """Frees the disk of an attempt, or of the whole job. What runs must be stopped first."""
        supervisor.delete(job_uid, attempt)
        return Response(status_code=204)

    return router
