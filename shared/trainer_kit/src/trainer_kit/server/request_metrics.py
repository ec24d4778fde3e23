"""Counts of requests and the time that they took, by route and status."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)


class RequestMetrics:
    """Middleware that measures every request. The names are those of the backend's metrics."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self.app = app
        self._requests = Counter("http_requests", "Requests that have ended.", ("flow", "status"), registry=registry)
        self._seconds = Histogram(
            "http_request_seconds", "How long they took.", ("flow",), buckets=BUCKETS, registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_at, status = time.perf_counter(), 0

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, record_status)
        finally:
            flow = getattr(scope.get("route"), "name", "-")
            self._requests.labels(flow, str(status)).inc()
            self._seconds.labels(flow).observe(time.perf_counter() - started_at)
