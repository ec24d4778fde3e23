"""Log lines of a process, as JSON objects or as text, sent to its standard error.

Nothing that is logged can look like another line, or like orders to a terminal, whoever chose its characters.
"""

import json
import logging
import re
import sys
from collections.abc import Callable

Fields = dict[str, str | None]

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def escape(text: str) -> str:
    """Return `text` in one line, with control and bidirectional override characters as escapes such as `\\x1b`."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class TextFormatter(logging.Formatter):
    """One line of text for each record, and the indented lines of its exception.

    `read_line` returns the line of a record; `clean` is applied to every text, such as to remove secrets.
    """

    def __init__(self, read_line: Callable[[logging.LogRecord], str], clean: Callable[[str], str] = str) -> None:
        super().__init__()
        self._read_line = read_line
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        lines = [self._read_line(record)]
        if record.exc_info and record.exc_info[0]:  # `log.exception` outside of a handler has none
            lines += [f"  {line}" for line in self.formatException(record.exc_info).split("\n")]
        if record.stack_info:
            lines += [f"  {line}" for line in self.formatStack(record.stack_info).split("\n")]
        return "\n".join(escape(self._clean(line)) for line in lines)


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
