"""A small training service that speaks the contract and trains nothing.

As a program it takes the settings that the backend gives to a local service. It notes its end in DATA_DIR/ended.
"""

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import trustme
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from support.waiting import until
from vision_contracts import HeldJob, JobEvent, ModelCard, ModelList, Problem, ServiceReady, StopRequest, TaskType

TOKEN = "the token of the small service"


def make_card(model_name: str, **fields: Any) -> ModelCard:
    defaults: dict[str, Any] = {
        "framework": "small",
        "model_name": model_name,
        "display_name": model_name.title(),
        "description": f"The model {model_name}.",
        "task_types": [TaskType.IMAGE_CLASSIFICATION],
        "family": "small",
        "params": 1_000_000,
        "input_size": 224,
        "recommended_batch_size": 32,
        "recommended_lr": 0.001,
        "hyperparameters_ref": "plain",
    }
    return ModelCard(**(defaults | fields))


def make_list(*cards: ModelCard, framework: str = "small", version: str = "1.0") -> ModelList:
    schema = {
        "type": "object",
        "properties": {"dropout": {"type": "number", "default": 0.0}},
        "additionalProperties": False,
        "x-named-fields": {"batch_size": {"type": "integer", "default": 1}},
    }
    models = [card.model_copy(update={"framework": framework}) for card in cards]
    return ModelList(
        framework=framework,
        framework_version=version,
        model_count=len(models),
        models=models,
        schemas={"plain": schema},
    )


@dataclass
class SmallService:
    """State of the service; tests change it while it serves."""

    models: ModelList = field(default_factory=lambda: make_list(make_card("tiny"), make_card("little")))
    token: str = TOKEN
    instance_id: UUID = field(default_factory=uuid4)
    boot_id: UUID = field(default_factory=uuid4)
    free_slots: int = 1
    delay_seconds: float = 0.0
    held: list[HeldJob] = field(default_factory=list)
    events: list[JobEvent] = field(default_factory=list)
    refusal: Problem | None = None
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    stops: list[StopRequest] = field(default_factory=list)

    @property
    def ready(self) -> ServiceReady:
        return ServiceReady(
            instance_id=self.instance_id,
            boot_id=self.boot_id,
            framework=self.models.framework,
            framework_version=self.models.framework_version,
            slots=1,
            free_slots=self.free_slots,
        )

    @property
    def etag(self) -> str:
        return f'"{self.models.framework_version}-{len(self.models.models)}"'


def make_app(service: SmallService) -> FastAPI:  # noqa: C901 - a list of routes
    app = FastAPI()

    @app.middleware("http")
    async def check(request: Request, go_on: Any) -> Response:
        await asyncio.sleep(service.delay_seconds)
        service.requests.append((request.method, request.url.path, dict(request.headers)))
        if request.headers.get("authorization") != f"Bearer {service.token}":
            problem = Problem(title="Unauthorized", status=401, detail="Wrong token.", code="token_invalid")
            return JSONResponse(problem.model_dump(), 401)
        if service.refusal is not None and request.method != "GET":
            return JSONResponse(service.refusal.model_dump(), service.refusal.status)
        return await go_on(request)

    @app.get("/ready")
    async def ready() -> ServiceReady:
        return service.ready

    @app.get("/models/list")
    async def models(request: Request) -> Response:
        if request.headers.get("if-none-match") == service.etag:
            return Response(status_code=304, headers={"ETag": service.etag})
        return Response(service.models.model_dump_json(), headers={"ETag": service.etag})

    @app.post("/training/start", status_code=202)
    async def start(spec: dict[str, Any]) -> None:
        service.held.append(HeldJob(job_uid=spec["job_uid"], attempt=spec["attempt"], state="running"))

    @app.post("/training/stop/{job_uid}", status_code=202)
    async def stop(job_uid: UUID, wanted: StopRequest) -> None:
        service.stops.append(wanted)

    @app.get("/training/jobs")
    async def held() -> list[HeldJob]:
        return service.held

    @app.delete("/training/jobs/{job_uid}", status_code=204)
    async def delete(job_uid: UUID) -> Response:
        kept = [job for job in service.held if job.job_uid != job_uid]
        status = 404 if len(kept) == len(service.held) else 204
        service.held = kept
        return Response(status_code=status)

    @app.get("/training/jobs/{job_uid}/events")
    async def events(job_uid: UUID, attempt: int, after: int) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            for event in service.events:
                if event.attempt == attempt and event.seq > after:
                    yield event.to_line() + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    return app


@asynccontextmanager
async def serving(
    service: SmallService, *, host: str = "127.0.0.1", port: int = 0, certificate: trustme.LeafCert | None = None
) -> AsyncIterator[int]:
    """Serve it in this event loop; yields the port."""
    async with serving_app(make_app(service), host=host, port=port, certificate=certificate) as port:
        yield port


@asynccontextmanager
async def serving_app(
    app: FastAPI, *, host: str = "127.0.0.1", port: int = 0, certificate: trustme.LeafCert | None = None
) -> AsyncIterator[int]:
    """The same for any application."""
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    if certificate is not None:
        config.ssl = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(config.ssl)
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    try:
        yield listener.getsockname()[1]
    finally:
        server.force_exit = server.should_exit = True
        await task


def note(name: str, text: str) -> None:
    """Leave a file in DATA_DIR for the test to read."""
    Path(os.environ["DATA_DIR"], name).write_text(text)


async def _exit_with_parent(server: uvicorn.Server, pipe: int) -> None:
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    loop.add_reader(pipe, closed.set)
    await closed.wait()
    loop.remove_reader(pipe)
    note("ended", "the pipe closed")
    server.should_exit = True


async def _serve() -> None:
    folder = Path(os.environ["DATA_DIR"])
    folder.joinpath("environment").write_text("\n".join(sorted(os.environ)))
    folder.joinpath("pid").write_text(str(os.getpid()))
    service = SmallService(
        models=make_list(make_card("tiny"), framework=sys.argv[1]), token=os.environ["SERVICE_TOKEN"]
    )
    config = uvicorn.Config(make_app(service), host=os.environ["HOST"], port=int(os.environ["PORT"]), log_level="info")
    server = uvicorn.Server(config)
    if "deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.capture_signals = nullcontext
    watching = asyncio.create_task(_exit_with_parent(server, int(os.environ["PARENT_PIPE_FD"])))
    await server.serve()
    watching.cancel()


if __name__ == "__main__":
    asyncio.run(_serve())
