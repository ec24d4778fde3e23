"""Middleware that counts requests and the time that they took, by route and status."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from http_kit.request_metrics import RequestMetrics


class RequestTimer:
    """Middleware that adds every request to metrics, which have the names of the backend's."""

    def __init__(self, app: ASGIApp, *, metrics: RequestMetrics) -> None:
        self.app = app
        self._metrics = metrics

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
            self._metrics.add(flow, status, time.perf_counter() - started_at)
