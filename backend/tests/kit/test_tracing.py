"""Traces reach a collector that speaks OTLP over HTTP."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support.backend_process import Backend
from support.waiting import until


class Collector(ThreadingHTTPServer):
    """Keeps every span that it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Span] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, Collector)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def backend(collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    running = Backend(tmp_path)
    running.start()
    yield running
    running.client.close()
    running.kill()


async def test_request_and_its_statements_are_one_trace(backend: Backend, collector: Collector) -> None:
    credentials = {"email": "nobody@example.com", "password": "wrong"}
    backend.client.post("/api/v1/auth/login", json=credentials, headers={"X-Request-ID": "traced-1"})
    backend.client.get("/ready")

    def root() -> Span | None:
        return next((span for span in collector.spans if not span.parent_span_id), None)

    await until(lambda: root() is not None)
    found = root()
    assert found is not None
    assert found.name == "POST /api/v1/auth/login"
    assert {one.key: one.value.string_value for one in found.attributes}["request_id"] == "traced-1"
    assert any(span.name == "SELECT" for span in collector.spans)
    assert {span.trace_id for span in collector.spans} == {found.trace_id}
