"""Logging of the service and its runners, as text or JSON."""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from vision_contracts import format_time


class _JsonFormatter(logging.Formatter):
    def __init__(self, request_id: str | None) -> None:
        super().__init__()
        self._request_id = request_id

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": format_time(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", self._request_id),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def configure_logging(log_format: Literal["text", "json"], request_id: str | None = None) -> None:
    """Configure logging to the standard error stream.

    `request_id` is the request that a process works for; a line for another request carries
    `extra={"request_id": …}`.
    """
    handler = logging.StreamHandler()
    mark = f"  [{request_id[:8]}]" if request_id else ""
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s" + mark.replace("%", "%%"))
    handler.setFormatter(_JsonFormatter(request_id) if log_format == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
