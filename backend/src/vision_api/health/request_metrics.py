"""Counts of requests and the time that they took, by flow and status."""

from prometheus_client import CollectorRegistry, Counter, Histogram

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class RequestMetrics:
    """The requests of one application. A stream counts when it ends, so look at the quantiles of one flow."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests that have ended; status 0 was cut.", ("flow", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "http_request_seconds", "How long they took.", ("flow",), buckets=BUCKETS, registry=self.registry
        )

    def add(self, flow: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._requests.labels(flow, str(status)).inc()
        self._seconds.labels(flow).observe(seconds)
