"""Log formats: one line for each record, with the id of the request that it belongs to."""

import logging
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from http_kit.logs import Fields, JsonFormatter, TextFormatter, log_to_standard_error

SELDOM_SECONDS = 10.0

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
user_id_var: ContextVar[int | None] = ContextVar("user_id", default=None)
"""Id of the signed-in user of this request, once it is known."""

_SECRET = re.compile(
    r"(?i)((?:ticket|access_token|refresh_token|password|token|secret)=|bearer\s+|://[^:/@\s]+:(?=\S*@))[^&\s\"'@]+"
)


def redact(text: str) -> str:
    """Return `text` without tickets, tokens, and the passwords of addresses."""
    return _SECRET.sub(r"\1***", text)


def _text_line(record: logging.LogRecord) -> str:
    """Return a line such as `12:00:00.123 INFO    projects: created project 7  [3f9c…]`."""
    moment = datetime.fromtimestamp(record.created, UTC).astimezone()
    name = record.name.removeprefix("vision_api.")
    line = f"{moment:%H:%M:%S}.{int(record.msecs):03d} {record.levelname:<7} {name}: {record.getMessage()}"
    if request_id := request_id_var.get():
        line += f"  [{request_id[:8]}]"
    return line


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


class Seldom(logging.Filter):
    """Filter that lets a message pass once in SELDOM_SECONDS, with the number of those that it left out.

    It looks at messages that begin with one of `beginnings`: those that a stranger can cause without end.
    """

    def __init__(self, *beginnings: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._beginnings = beginnings
        self._clock = clock
        self._passed_at: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged."""
        message = str(record.msg)
        found = next((each for each in self._beginnings if message.startswith(each)), None)
        if found is None:
            return True
        now = self._clock()
        if now < self._passed_at.get(found, -SELDOM_SECONDS) + SELDOM_SECONDS:
            self._left_out[found] = self._left_out.get(found, 0) + 1
            return False
        self._passed_at[found] = now
        if left_out := self._left_out.pop(found, 0):
            record.msg = f"{message} ({left_out} times more since the last line)"
        return True


TOO_MANY_CONNECTIONS = "Too many connections are open"
_SELDOM = {
    "asyncio": Seldom("socket.accept() out of system resource", "socket.send() raised exception"),
    "uvicorn.error": Seldom("Invalid HTTP request received", "Unsupported upgrade request", "No supported WebSocket"),
    "vision_api.process.connections": Seldom(TOO_MANY_CONNECTIONS),
}


def configure_logging(form: Literal["text", "json"], level: str = "INFO") -> None:
    """Send every log of this process to standard error, in one form."""
    log_to_standard_error(
        JsonFormatter(_json_fields, redact) if form == "json" else TextFormatter(_text_line, redact), level
    )
    for name, seldom in _SELDOM.items():
        logging.getLogger(name).addFilter(seldom)
    for name, quiet in (("uvicorn.access", logging.ERROR), ("httpx", logging.WARNING), ("alembic", logging.WARNING)):
        logging.getLogger(name).setLevel(quiet)
