"""Log formats: one line for each record, with the id of the request that it belongs to."""

import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from http_kit.logs import Fields, JsonFormatter, log_to_standard_error

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


def _json_fields(record: logging.LogRecord) -> Fields:
    stack = {"stack_info": record.stack_info} if record.stack_info else {}
    return {
        "event": record.getMessage(),
        **stack,
        "level": record.levelname.lower(),
        "logger": record.name,
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        "request_id": request_id_var.get(),
    }


def configure_logging(form: Literal["text", "json"], level: str = "INFO") -> None:
    """Send every log of this process to standard error, in one form."""
    log_to_standard_error(JsonFormatter(_json_fields, redact) if form == "json" else _TextFormatter(), level)
    for name, quiet in (("uvicorn.access", logging.ERROR), ("httpx", logging.WARNING), ("alembic", logging.WARNING)):
        logging.getLogger(name).setLevel(quiet)
