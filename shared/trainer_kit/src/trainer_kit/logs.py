"""Logging of the service and its runners, as text or JSON."""

import logging
from datetime import UTC, datetime
from typing import Literal

from http_kit.logs import Fields, JsonFormatter, TextFormatter, log_to_standard_error
from vision_contracts import format_time


def configure_logging(log_format: Literal["text", "json"], request_id: str | None = None) -> None:
    """Configure logging to the standard error stream.

    `request_id` is the request that a process works for; a line for another request carries
    `extra={"request_id": …}`.
    """
    formatter = _json_formatter(request_id) if log_format == "json" else _text_formatter(request_id)
    log_to_standard_error(formatter, logging.INFO)


def _text_formatter(request_id: str | None) -> logging.Formatter:
    mark = f"  [{request_id[:8]}]" if request_id else ""
    clock = logging.Formatter()

    def read_line(record: logging.LogRecord) -> str:
        return f"{clock.formatTime(record)} {record.levelname:<7} {record.name}: {record.getMessage()}{mark}"

    return TextFormatter(read_line)


def _json_formatter(request_id: str | None) -> logging.Formatter:
    def read_fields(record: logging.LogRecord) -> Fields:
        return {
            "time": format_time(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", request_id),
        }

    return JsonFormatter(read_fields)
