"""Traces for an OpenTelemetry collector, if `OTEL_EXPORTER_OTLP_ENDPOINT` names one; else spans are not recorded.

FastAPI sets the exporter up and makes the spans of requests; the `OTEL_…` variables are OpenTelemetry's own.
"""

from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace
from opentelemetry.trace import Span
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

UNTRACED = frozenset({"/health", "/ready", "/metrics"})

TELEMETRY: TelemetryConfig = {
    "auto_configure": True,
    "metrics": False,  # /metrics has more
    "logs": False,
    "operation_spans": False,
    "exclude": lambda scope: scope.get("path") in UNTRACED,
}


def trace_statements(engine: AsyncEngine) -> None:
    """Record statements as spans of the requests that send them. Statements of loops are not recorded."""
    tracer = trace.get_tracer(__name__)

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def begin(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if trace.get_current_span().is_recording():
            verb = statement.split(maxsplit=1)[0]
            context.span = tracer.start_span(verb, attributes={"db.query.text": statement})

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def end(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
        if (running := getattr(context, "span", None)) is not None:
            running.end()


def span(name: str, **attributes: str) -> AbstractContextManager[Span]:
    """Return a span of work that no request waits for."""
    return trace.get_tracer(__name__).start_as_current_span(name, attributes=dict[str, Any](attributes))


def annotate(**attributes: str) -> None:
    """Set attributes of the present span, if there is one."""
    trace.get_current_span().set_attributes(attributes)


def inject_trace(headers: MutableMapping[str, str]) -> None:
    """Add the headers by which a called service continues the present trace."""
    if trace.get_current_span().is_recording():
        propagate.inject(headers)
