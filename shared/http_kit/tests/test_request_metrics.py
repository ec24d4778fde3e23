"""Metrics of requests."""

from prometheus_client import generate_latest

from http_kit.request_metrics import RequestMetrics


def test_requests_are_counted_and_timed_by_flow() -> None:
    metrics = RequestMetrics("Requests.", (0.1, 1.0))

    metrics.add("jobs.start", 202, 0.5)
    metrics.add("jobs.start", 0, 2.0)

    lines = generate_latest(metrics.registry).decode().splitlines()
    assert "# HELP http_requests_total Requests." in lines
    assert 'http_requests_total{flow="jobs.start",status="202"} 1.0' in lines
    assert 'http_requests_total{flow="jobs.start",status="0"} 1.0' in lines
    assert 'http_request_seconds_bucket{flow="jobs.start",le="0.1"} 0.0' in lines
    assert 'http_request_seconds_bucket{flow="jobs.start",le="1.0"} 1.0' in lines
    assert 'http_request_seconds_sum{flow="jobs.start"} 2.5' in lines


def test_applications_in_one_process_count_apart() -> None:
    first, second = RequestMetrics("Requests.", (1.0,)), RequestMetrics("Requests.", (1.0,))

    first.add("health", 200, 0.1)

    assert b"health" in generate_latest(first.registry)
    assert b"health" not in generate_latest(second.registry)
