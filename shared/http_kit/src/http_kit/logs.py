"""Log lines of a process: JSON objects, sent to its standard error."""

import json
import logging
import sys
from collections.abc import Callable

Fields = dict[str, str | None]


class JsonFormatter(logging.Formatter):
    """One JSON object in a line for each record.

    `read_fields` returns the fields of a record, to which `exception` is added if it has one; `clean` is applied to
    every text, such as to remove secrets.
    """

    def __init__(self, read_fields: Callable[[logging.LogRecord], Fields], clean: Callable[[str], str] = str) -> None:
        super().__init__()
        self._read_fields = read_fields
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        fields = self._read_fields(record)
        if record.exc_info and record.exc_info[0]:  # `log.exception` outside of a handler has none
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: text if text is None else self._clean(text) for name, text in fields.items()})


def log_to_standard_error(formatter: logging.Formatter, level: int | str) -> None:
    """Send every log of this process to standard error alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
