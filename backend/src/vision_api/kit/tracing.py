"""Traces for an OpenTelemetry collector, where `OTEL_EXPORTER_OTLP_ENDPOINT` names one; else every span is nothing.

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
    """As parts of the requests that they are sent for. What a loop asks for by itself is no trace."""
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
    """A piece of work that no request waits for."""
    return trace.get_tracer(__name__).start_as_current_span(name, attributes=dict[str, Any](attributes))


def annotate(**attributes: str) -> None:
    """Say more about the present span, if there is one."""
    trace.get_current_span().set_attributes(attributes)


def hand_on(headers: MutableMapping[str, str]) -> None:
    """Tell whoever is called which trace it is part of."""
    if trace.get_current_span().is_recording():
        propagate.inject(headers)
