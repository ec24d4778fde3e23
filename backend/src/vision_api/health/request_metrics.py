"""Counts of requests and the time that they took, by flow and status."""

from collections import Counter, defaultdict


class RequestMetrics:
    """What `/metrics` shows."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, int]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, flow: str, status: int, seconds: float) -> None:
        """One request has ended."""
        self._count[flow, status] += 1
        self._seconds[flow] += seconds

    def as_text(self) -> str:
        """Prometheus' text format."""
        lines = ["# TYPE http_requests_total counter"]
        lines += [
            f'http_requests_total{{flow="{flow}",status="{status}"}} {count}'
            for (flow, status), count in sorted(self._count.items())
        ]
        lines.append("# TYPE http_request_seconds_total counter")
        lines += [
            f'http_request_seconds_total{{flow="{flow}"}} {seconds:.6f}'
            for flow, seconds in sorted(self._seconds.items())
        ]
        return "\n".join(lines) + "\n"
