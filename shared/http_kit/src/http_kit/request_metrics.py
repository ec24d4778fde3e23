"""Counts of requests and the time that they took, by flow and status."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram


class RequestMetrics:
    """The requests of one application. A stream counts when it ends, so look at the quantiles of one flow."""

    def __init__(self, description: str, buckets: Sequence[float]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("http_requests", description, ("flow", "status"), registry=self.registry)
        self._seconds = Histogram(
            "http_request_seconds", "How long they took.", ("flow",), buckets=buckets, registry=self.registry
        )

    def add(self, flow: str, status: int, seconds: float) -> None:
        """Count a request that has ended. Status 0 is one that was cut."""
        self._requests.labels(flow, str(status)).inc()
        self._seconds.labels(flow).observe(seconds)
