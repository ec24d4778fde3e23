"""Log formats: one line for each record, with the id of the request that it belongs to."""

import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

import structlog

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)

_SECRET = re.compile(
    r"(?i)((?:ticket|access_token|refresh_token|password|token|secret)=|bearer\s+|://[^:/@\s]+:(?=\S*@))[^&\s\"'@]+"
)


def redact(text: str) -> str:
    """Return `text` without tickets, tokens, and the passwords of addresses."""
    return _SECRET.sub(r"\1***", text)


class _TextFormatter(logging.Formatter):
    """Lines such as `12:00:00.123 INFO    projects.list_projects  GET /api/v1/projects 200 4 ms  [3f9c…]`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).astimezone()
        name = record.name.removeprefix("vision_api.")
        line = f"{moment:%H:%M:%S}.{int(record.msecs):03d} {record.levelname:<7} {name}: {record.getMessage()}"
        if request_id := request_id_var.get():
            line += f"  [{request_id[:8]}]"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


def _json_formatter() -> logging.Formatter:
    def add_request_id(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["request_id"] = request_id_var.get()
        return event

    def redact_texts(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}

    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_request_id,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact_texts,
            structlog.processors.JSONRenderer(),
        ],
    )


def configure_logging(form: Literal["text", "json"], level: str = "INFO") -> None:
    """Send every log of this process to standard error, in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_formatter() if form == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, quiet in (("uvicorn.access", logging.ERROR), ("httpx", logging.WARNING), ("alembic", logging.WARNING)):
        logging.getLogger(name).setLevel(quiet)
